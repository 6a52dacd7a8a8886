// Landmarks of the long axes: dragged with the hand, placed where the model found none, taken back.

const NEAR = 14; // pixels of the screen

// The landmark under a point of the canvas: its name and place; null for none near.
export function pointAt(stage, tile, { x, y }) {
  const { page } = stage, frame = tile.plane.frameAt(page.frame, page.total), { at } = stage.pixelAt(tile, x, y);
  let best = null;
  for (const [name, byFrame] of Object.entries(page.doc.points[tile.plane.view] ?? {})) {
    const place = byFrame[frame];
    if (!place) continue;
    const away = Math.hypot(at.x + (place[0] + 0.5) * at.sx - x, at.y + (place[1] + 0.5) * at.sy - y);
    if (away < NEAR && (!best || away < best.away)) best = { name, place, away };
  }
  return best;
}

// What a drag that begins here moves: the landmark under it, or one that the frame lacks; null for neither.
export function startDrag(stage, tile, point) {
  const { page } = stage, view = tile.plane.view, points = page.doc.points[view];
  if (!points) return null;
  const frame = tile.plane.frameAt(page.frame, page.total), { u, v } = stage.pixelAt(tile, point.x, point.y);
  const found = pointAt(stage, tile, point);
  const name = found?.name ?? Object.keys(points).find((one) => !points[one][frame]);
  if (!name) return null;
  const before = points[name][frame];
  const drag = { tile, view, frame, name, before, shift: before ? [before[0] + 0.5 - u, before[1] + 0.5 - v] : [0, 0] };
  if (!before) dragTo(stage, drag, point);
  return drag;
}

export function dragTo(stage, drag, point) {
  const { u, v } = stage.pixelAt(drag.tile, point.x, point.y), { plane } = drag.tile;
  const inside = (value, size) => Math.max(0, Math.min(size - 1, value));
  const place = [inside(u + drag.shift[0] - 0.5, plane.width), inside(v + drag.shift[1] - 0.5, plane.height)];
  stage.page.doc.points[drag.view][drag.name][drag.frame] = place;
}

// Points of a frame that lie elsewhere than the model's own, as changes that take them back.
export function ownPoints(page, view, frame) {
  const points = page.doc.points[view] ?? {}, own = page.doc.own_points[view] ?? {};
  return Object.keys(points)
    .filter((name) => page.moved.has(`${view} ${name} ${frame}`))
    .map((name) => ({ view, name, frame, before: points[name][frame], after: null, own: own[name]?.[frame] ?? null }));
}
