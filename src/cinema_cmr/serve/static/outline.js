// Outlines of label maps: smooth lines at the border of a structure. For the eye only; numbers come from the labels.

const LEVEL = 0.5;

// Path2D of the border of all pixels whose code is in `codes`, in pixel coordinates (a pixel's centre is at a half).
export function outline(labels, width, height, codes) {
  const path = new Path2D();
  const inside = new Uint8Array(8);
  for (const code of codes) inside[code] = 1;
  const box = extent(labels, width, height, inside);
  if (!box) return path;
  const [x0, y0, x1, y1] = box;
  const w = x1 - x0 + 7, hgt = y1 - y0 + 7;
  const field = smooth(labels, width, height, inside, x0 - 3, y0 - 3, w, hgt);
  march(path, field, w, hgt, x0 - 2.5, y0 - 2.5);
  return path;
}

function extent(labels, width, height, inside) {
  let x0 = width, x1 = -1, y0 = height, y1 = -1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!inside[labels[i]]) continue;
      if (x < x0) x0 = x;
      if (x > x1) x1 = x;
      if (y < y0) y0 = y;
      y1 = y;
    }
  }
  return x1 < 0 ? null : [x0, y0, x1, y1];
}

// The mask blurred by (1 4 6 4 1) / 16 along both axes, which takes the stairs off its border.
function smooth(labels, width, height, inside, left, top, w, hgt) {
  const mask = new Float32Array(w * hgt), rows = new Float32Array(w * hgt), field = new Float32Array(w * hgt);
  for (let y = 0; y < hgt; y++) {
    const sy = y + top;
    if (sy < 0 || sy >= height) continue;
    for (let x = 0; x < w; x++) {
      const sx = x + left;
      if (sx >= 0 && sx < width && inside[labels[sy * width + sx]]) mask[y * w + x] = 1;
    }
  }
  for (let y = 0; y < hgt; y++) for (let x = 2; x < w - 2; x++) {
    const i = y * w + x;
    rows[i] = (mask[i - 2] + mask[i + 2] + 4 * (mask[i - 1] + mask[i + 1]) + 6 * mask[i]) / 16;
  }
  let highest = 0;
  for (let y = 2; y < hgt - 2; y++) for (let x = 0; x < w; x++) {
    const i = y * w + x;
    field[i] = (rows[i - 2 * w] + rows[i + 2 * w] + 4 * (rows[i - w] + rows[i + w]) + 6 * rows[i]) / 16;
    if (field[i] > highest) highest = field[i];
  }
  return highest > LEVEL ? field : mask;
}

// Marching squares: the grid edges that the level crosses, linked through the cells, and followed to closed curves.
// An edge's number is twice that of its first pixel, plus one where it runs down.
function march(path, field, w, hgt, left, top) {
  const links = new Map();
  const link = (a, b) => {
    if (links.has(a)) links.get(a).push(b); else links.set(a, [b]);
    if (links.has(b)) links.get(b).push(a); else links.set(b, [a]);
  };
  for (let y = 0; y < hgt - 1; y++) {
    for (let x = 0; x < w - 1; x++) {
      const i = y * w + x;
      const kind = (field[i] > LEVEL ? 1 : 0) | (field[i + 1] > LEVEL ? 2 : 0) | (field[i + w + 1] > LEVEL ? 4 : 0) | (field[i + w] > LEVEL ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const edges = { n: 2 * i, w: 2 * i + 1, s: 2 * (i + w), e: 2 * (i + 1) + 1 };
      for (const [from, to] of CELLS[kind]) link(edges[from], edges[to]);
    }
  }
  const point = (edge) => {
    const i = edge >> 1, down = edge & 1, next = down ? i + w : i + 1;
    const along = (LEVEL - field[i]) / (field[next] - field[i]);
    return [(i % w) + (down ? 0 : along) + left, Math.floor(i / w) + (down ? along : 0) + top];
  };
  for (const start of links.keys()) {
    if (!links.get(start).length) continue;
    path.moveTo(...point(start));
    for (let edge = start; ;) {
      const next = links.get(edge).pop();
      if (next === undefined) break;
      const back = links.get(next);
      back.splice(back.indexOf(edge), 1);
      if (next === start) break;
      path.lineTo(...point(next));
      edge = next;
    }
    path.closePath();
  }
}

const CELLS = {
  1: ["wn"], 14: ["wn"], 2: ["ne"], 13: ["ne"], 3: ["we"], 12: ["we"], 4: ["es"], 11: ["es"],
  6: ["ns"], 9: ["ns"], 7: ["ws"], 8: ["ws"], 5: ["wn", "es"], 10: ["ne", "ws"],
};
