// Contour points that pull: the outline nearest to the pointer follows it, and the outline around with a smooth falloff.

import { distance } from "./correct.js";

const REACH = 3.5; // of the brush's radius
const NEAR_MM = 6;
const STEEPEST = 0.6; // share of the reach that a point may be moved: farther, the outline would fold over itself

// Signed distance of a structure's border, in pixels; kept until the labels of the frame change.
function fieldOf(plane, frame, structure) {
  const key = `${frame} ${structure.name}`;
  if (!plane.fields.has(key)) {
    const mask = plane.codes(frame).map((code) => (structure.codes.includes(code) ? 1 : 0));
    plane.fields.set(key, distance(mask, plane.width, plane.height));
  }
  return plane.fields.get(key);
}

// A field between pixels, whose centres are at a half.
function at(field, { width, height }, u, v) {
  const x = Math.max(0, Math.min(width - 1.001, u - 0.5)), y = Math.max(0, Math.min(height - 1.001, v - 0.5));
  const i = Math.floor(y) * width + Math.floor(x), a = x % 1, b = y % 1;
  return (1 - b) * ((1 - a) * field[i] + a * field[i + 1]) + b * ((1 - a) * field[i + width] + a * field[i + width + 1]);
}

function outwards(field, plane, u, v) {
  const du = at(field, plane, u + 1, v) - at(field, plane, u - 1, v), dv = at(field, plane, u, v + 1) - at(field, plane, u, v - 1);
  const length = Math.hypot(du, dv) || 1;
  return [du / length, dv / length];
}

// The point of an outline that is nearest to (u, v): its structure and place; null farther than a few millimetres.
export function grip(plane, frame, u, v, hidden) {
  let best = null;
  for (const structure of plane.structures) {
    if (hidden.has(structure.name)) continue;
    const field = fieldOf(plane, frame, structure), away = at(field, plane, u, v);
    if (Math.abs(away) * plane.facts.spacing_mm[0] > NEAR_MM || (best && Math.abs(away) >= Math.abs(best.away))) continue;
    best = { structure, field, away };
  }
  if (!best) return null;
  const [du, dv] = outwards(best.field, plane, u, v);
  return { ...best, u: u - best.away * du, v: v - best.away * dv };
}

// Millimetres around the pulled point within which the outline moves.
export const reach = (radius, moved = 0) => Math.max(radius * REACH, moved / STEEPEST);

// Write the labels of a frame, `before` with the gripped point moved by (du, dv) pixels, and return where that point is.
export function pull(plane, frame, before, held, du, dv, radius) {
  const { structure, field } = held, [dx, dy] = plane.facts.spacing_mm, { width, height } = plane;
  const codes = plane.codes(frame), u = held.u + du, v = held.v + dv;
  const most = reach(radius, Math.hypot(du * dx, dv * dy));
  codes.set(before);
  const [x0, x1] = [Math.max(0, Math.floor(u - most / dx)), Math.min(width - 1, Math.ceil(u + most / dx))];
  const [y0, y1] = [Math.max(0, Math.floor(v - most / dy)), Math.min(height - 1, Math.ceil(v + most / dy))];
  for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) {
    const near = 1 - (((x + 0.5 - u) * dx) ** 2 + ((y + 0.5 - v) * dy) ** 2) / most ** 2;
    if (near <= 0) continue;
    const i = y * width + x, from = [x + 0.5 - du * near ** 2, y + 0.5 - dv * near ** 2];
    const was = structure.codes.includes(before[i]), is = at(field, plane, ...from) < 0;
    if (is !== was) codes[i] = is ? structure.code : beyond(plane, before, held, ...from);
  }
  plane.forget(frame);
  return { u, v };
}

// The label outside of a structure that lies nearest to a point at its border.
function beyond(plane, codes, { structure, field }, u, v) {
  const [du, dv] = outwards(field, plane, u, v);
  for (let step = 0; step < 4; step++) {
    const x = Math.floor(u + step * du), y = Math.floor(v + step * dv);
    if (x < 0 || y < 0 || x >= plane.width || y >= plane.height) break;
    const code = codes[y * plane.width + x];
    if (!structure.codes.includes(code)) return code;
  }
  return 0;
}
