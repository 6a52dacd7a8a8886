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
  const w = x1 - x0 + 5, hgt = y1 - y0 + 5;
  const field = smooth(labels, width, height, inside, x0 - 2, y0 - 2, w, hgt);
  march(path, field, w, hgt, x0 - 1.5, y0 - 1.5);
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

// The mask blurred by (1 2 1) / 4 along both axes, which takes the stairs off its border.
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
  for (let y = 0; y < hgt; y++) for (let x = 1; x < w - 1; x++) {
    const i = y * w + x;
    rows[i] = (mask[i - 1] + 2 * mask[i] + mask[i + 1]) / 4;
  }
  let highest = 0;
  for (let y = 1; y < hgt - 1; y++) for (let x = 0; x < w; x++) {
    const i = y * w + x;
    field[i] = (rows[i - w] + 2 * rows[i] + rows[i + w]) / 4;
    if (field[i] > highest) highest = field[i];
  }
  return highest > LEVEL ? field : mask;
}

// Marching squares: a line through each cell that the level crosses.
function march(path, field, w, hgt, left, top) {
  const at = (a, b) => (LEVEL - a) / (b - a);
  for (let y = 0; y < hgt - 1; y++) {
    for (let x = 0; x < w - 1; x++) {
      const i = y * w + x;
      const a = field[i], b = field[i + 1], c = field[i + w + 1], d = field[i + w];
      const kind = (a > LEVEL ? 1 : 0) | (b > LEVEL ? 2 : 0) | (c > LEVEL ? 4 : 0) | (d > LEVEL ? 8 : 0);
      if (kind === 0 || kind === 15) continue;
      const px = x + left, py = y + top;
      const n = () => [px + at(a, b), py], e = () => [px + 1, py + at(b, c)];
      const s = () => [px + at(d, c), py + 1], o = () => [px, py + at(a, d)];
      for (const [from, to] of cell(kind, n, e, s, o)) {
        path.moveTo(...from());
        path.lineTo(...to());
      }
    }
  }
}

function cell(kind, n, e, s, w) {
  switch (kind) {
    case 1: case 14: return [[w, n]];
    case 2: case 13: return [[n, e]];
    case 3: case 12: return [[w, e]];
    case 4: case 11: return [[e, s]];
    case 6: case 9: return [[n, s]];
    case 7: case 8: return [[w, s]];
    case 5: return [[w, n], [e, s]];
    default: return [[n, e], [w, s]];
  }
}
