// Pixels and labels of a study in the browser, and how one slice is drawn into a rectangle.

import { api } from "./api.js";
import { outline } from "./outline.js";

const VENTRICLES = [
  { name: "lv", short: "LV", code: 3, title: "LV cavity", colour: "#ef4444", codes: [3], layer: 3 },
  { name: "myo", short: "MYO", code: 2, title: "Myocardium", colour: "#22c55e", codes: [2, 3], layer: 2 },
  { name: "rv", short: "RV", code: 1, title: "RV cavity", colour: "#3b82f6", codes: [1], layer: 1 },
];

// Structures of a view by the scheme of its codes: `code` is what the brush writes, `codes` what the outline encloses
// (that of the myocardium is the epicardium). `layer`: where interpolated shapes overlap, the highest is seen.
export const SCHEMES = {
  cine: VENTRICLES,
  chambers: [
    ...VENTRICLES,
    { name: "la", short: "LA", code: 4, title: "LA cavity", colour: "#f59e0b", codes: [4], layer: 1 },
    { name: "ra", short: "RA", code: 5, title: "RA cavity", colour: "#a855f7", codes: [5], layer: 1 },
  ],
  scar: [
    { name: "lv", short: "LV", code: 1, title: "LV cavity", colour: "#ef4444", codes: [1], layer: 4 },
    { name: "myo", short: "MYO", code: 2, title: "Myocardium", colour: "#22c55e", codes: [1, 2, 3, 4], layer: 1 },
    { name: "infarct", short: "INF", code: 3, title: "Infarct", colour: "#eab308", codes: [3, 4], layer: 2 },
    { name: "no_reflow", short: "NR", code: 4, title: "No-reflow", colour: "#a855f7", codes: [4], layer: 3 },
  ],
};

const OFFSET = 32768;

// Colour of each int16 value for a window.
export class Lookup {
  constructor() { this.table = new Uint32Array(65536); this.version = 0; }

  set(low, high) {
    const range = Math.max(high - low, 1e-6);
    for (let value = 0; value < 65536; value++) {
      const grey = Math.max(0, Math.min(255, Math.round(((value - OFFSET - low) / range) * 255)));
      this.table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    this.version += 1;
  }
}

// One slice of one view: its images and labels over time.
export class Plane {
  constructor(study, view, index, facts, structures) {
    Object.assign(this, { study, view, index, facts, structures });
    [this.width, this.height] = facts.size;
    this.frames = facts.n_frames;
    this.pixels = this.labels = this.own = null;
    this.paths = new Map();
    this.fields = new Map();
    this.canvas = document.createElement("canvas");
    this.drawn = "";
  }

  async load() {
    const jobs = [api.image(this.study, this.view, this.index).then((data) => { this.pixels = data; this.drawn = ""; })];
    await Promise.all([...jobs, this.loadLabels()]);
  }

  async loadLabels() {
    if (!this.facts.has_mask) return;
    this.labels = await api.labels(this.study, this.view, this.index);
    this.paths.clear();
    this.fields.clear();
  }

  async loadOwn() {
    if (!this.own && this.facts.has_mask) this.own = await api.labels(this.study, this.view, this.index, true);
  }

  codes(frame) {
    const size = this.width * this.height;
    return this.labels?.subarray(frame * size, (frame + 1) * size) ?? null;
  }

  ownCodes(frame) {
    const size = this.width * this.height;
    return this.own?.subarray(frame * size, (frame + 1) * size) ?? null;
  }

  setCodes(frame, codes) {
    this.codes(frame).set(codes);
    this.forget(frame);
  }

  forget(frame) {
    for (const { name } of this.structures) for (const kept of [this.paths, this.fields]) kept.delete(`${frame} ${name}`);
  }

  path(frame, structure, own = false) {
    const key = `${own ? "own " : ""}${frame} ${structure.name}`;
    let path = this.paths.get(key);
    if (!path) {
      const codes = own ? this.ownCodes(frame) : this.codes(frame);
      if (!codes) return null;
      path = outline(codes, this.width, this.height, structure.codes);
      this.paths.set(key, path);
    }
    return path;
  }

  // The frame of the study that shows a frame of this view.
  frameOfStudy(frame, total) {
    return this.frames === total ? frame : Math.min(total - 1, Math.floor(((frame + 0.5) / this.frames) * total));
  }

  // The frame of this view at a frame of the study: views may have other numbers of frames.
  frameAt(frame, total) {
    return this.frames === total ? frame : Math.min(this.frames - 1, Math.floor(((frame + 0.5) / total) * this.frames));
  }

  // Bring the canvas to a frame: the region [left, top, right, bottom] in whole pixels.
  bring(frame, region, lookup) {
    const [left, top, right, bottom] = region;
    const key = `${frame} ${region} ${lookup.version}`;
    if (key === this.drawn || !this.pixels) return;
    const w = right - left, hgt = bottom - top;
    if (this.canvas.width !== w || this.canvas.height !== hgt || !this.image) {
      this.canvas.width = w;
      this.canvas.height = hgt;
      this.context = this.canvas.getContext("2d", { alpha: false });
      this.image = this.context.createImageData(w, hgt);
      this.colours = new Uint32Array(this.image.data.buffer);
    }
    const { colours } = this, { table } = lookup, pixels = this.pixels, start = frame * this.width * this.height;
    for (let y = 0, i = 0; y < hgt; y++) {
      let from = start + (y + top) * this.width + left;
      for (let x = 0; x < w; x++) colours[i++] = table[pixels[from++] + OFFSET];
    }
    this.context.putImageData(this.image, 0, 0);
    this.drawn = key;
  }
}

// Where a plane lies on the screen: pixel (u, v) of the plane is at (x + u * sx, y + v * sy).
export function place(plane, rect, zoom) {
  const [dx, dy] = plane.facts.spacing_mm;
  const box = zoom.whole ? { left: 0, top: 0, right: plane.width, bottom: plane.height } : plane.facts.box;
  const wide = (box.right - box.left) * dx, high = (box.bottom - box.top) * dy;
  const scale = Math.min(rect.w / wide, rect.h / high) * zoom.scale;
  const u = (box.left + box.right) / 2, v = (box.top + box.bottom) / 2;
  const sx = scale * dx, sy = scale * dy;
  return { sx, sy, x: rect.x + rect.w / 2 + zoom.x - u * sx, y: rect.y + rect.h / 2 + zoom.y - v * sy };
}

// The whole pixels of a plane that a rectangle shows.
export function visible(plane, rect, at) {
  const clamp = (value, most) => Math.max(0, Math.min(most, value));
  return [
    clamp(Math.floor((rect.x - at.x) / at.sx), plane.width - 1),
    clamp(Math.floor((rect.y - at.y) / at.sy), plane.height - 1),
    clamp(Math.ceil((rect.x + rect.w - at.x) / at.sx), plane.width),
    clamp(Math.ceil((rect.y + rect.h - at.y) / at.sy), plane.height),
  ];
}

export function drawPlane(context, plane, rect, frame, options) {
  const at = place(plane, rect, options.zoom);
  context.save();
  context.beginPath();
  context.rect(rect.x, rect.y, rect.w, rect.h);
  context.clip();
  context.fillStyle = "#000";
  context.fillRect(rect.x, rect.y, rect.w, rect.h);
  if (plane.pixels) {
    const region = visible(plane, rect, at);
    plane.bring(frame, region, options.lookup);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = options.fast ? "low" : "high";
    context.drawImage(plane.canvas, at.x + region[0] * at.sx, at.y + region[1] * at.sy,
      (region[2] - region[0]) * at.sx, (region[3] - region[1]) * at.sy);
  }
  drawOutlines(context, plane, frame, at, options);
  context.restore();
  return at;
}

function drawOutlines(context, plane, frame, at, options) {
  if (!options.outlines || !plane.labels) return;
  context.save();
  context.translate(at.x, at.y);
  context.scale(at.sx, at.sy);
  context.lineJoin = "bevel";
  for (const structure of plane.structures) {
    if (options.hidden.has(structure.name)) continue;
    if (options.own && plane.own) {
      context.lineWidth = 1 / at.sx;
      context.strokeStyle = "rgba(255,255,255,.75)";
      context.stroke(plane.path(frame, structure, true));
    }
    context.lineWidth = options.line / at.sx;
    context.strokeStyle = structure.colour;
    context.stroke(plane.path(frame, structure));
  }
  context.restore();
}
