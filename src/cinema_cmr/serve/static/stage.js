// The canvas of the study page: a mosaic of all slices, or one large with a strip of all.

import { drawPlane, place } from "./picture.js";
import { pointAt } from "./points.js";
import { grip, reach } from "./pull.js";

const GAP = 4, MIN_STRIP = 40;
// Smallest picture of the strip, on which a finger and a caption find room.
const INK = "#e7edf1", SOFT = "#9db0bc", ACCENT = "#57c2dd";

export class Stage {
  constructor(page) {
    this.page = page;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "stage";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("aria-label", "Images");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.tiles = [];
    this.count = 0;
  }

  // Fit the canvas to its place on the screen: at once after a bar came or went, so that no press lands where the image was.
  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const ratio = Math.min(devicePixelRatio || 1, 2);
    const w = Math.max(1, Math.round(width * ratio)), hgt = Math.max(1, Math.round(height * ratio));
    if (this.canvas.width !== w || this.canvas.height !== hgt) {
      this.canvas.width = w;
      this.canvas.height = hgt;
    }
    [this.width, this.height, this.ratio] = [width, height, ratio];
    this.arrange();
  }

  arrange() {
    const { planes, mode } = this.page;
    if (!this.width || !planes.length) return;
    this.tiles = mode === "mosaic" ? this.mosaic(planes) : this.large(planes);
  }

  mosaic(planes) {
    const { width, height } = this;
    const shape = (plane) => {
      const box = plane.facts.box, [dx, dy] = plane.facts.spacing_mm;
      return ((box.right - box.left) * dx) / ((box.bottom - box.top) * dy);
    };
    const aspect = this.page.zoom.whole ? planes[0].width / planes[0].height : shape(planes[0]);
    let best = { size: 0, across: 1 };
    for (let across = 1; across <= planes.length; across++) {
      const rows = Math.ceil(planes.length / across);
      const size = Math.min((width - GAP * (across - 1)) / across, ((height - GAP * (rows - 1)) / rows) * aspect);
      if (size > best.size) best = { size, across };
    }
    const { across } = best, rows = Math.ceil(planes.length / across);
    const w = (width - GAP * (across - 1)) / across, hgt = (height - GAP * (rows - 1)) / rows;
    return planes.map((plane, i) => ({
      plane, rect: { x: (i % across) * (w + GAP), y: Math.floor(i / across) * (hgt + GAP), w, h: hgt },
    }));
  }

  large(planes) {
    const side = this.width < 560 ? 58 : 84, width = (across) => (this.width + GAP) / across - GAP;
    let rows = 1;
    while (rows < 3 && width(Math.ceil(planes.length / rows)) < MIN_STRIP) rows += 1;
    const across = Math.ceil(planes.length / rows), strip = Math.min(side, width(across));
    const top = this.height - rows * (strip + GAP);
    const left = Math.max(0, (this.width - across * (strip + GAP) + GAP) / 2);
    const tiles = planes.map((plane, i) => ({
      plane, small: true, rect: { x: left + (i % across) * (strip + GAP), y: top + GAP + Math.floor(i / across) * (strip + GAP), w: strip, h: strip },
    }));
    const main = { plane: this.page.plane, rect: { x: 0, y: 0, w: this.width, h: top }, main: true };
    const axes = this.page.references();
    if (axes.length && this.width > 620) {
      const w = Math.round(this.width * 0.3), hgt = (top - GAP) / 2;
      main.rect.w = this.width - w - GAP;
      axes.forEach((plane, i) => tiles.unshift({ plane, reference: true, rect: { x: main.rect.w + GAP, y: i * (hgt + GAP), w, h: hgt } }));
    }
    return [main, ...tiles];
  }

  tileAt(x, y) {
    return this.tiles.find(({ rect }) => x >= rect.x && x < rect.x + rect.w && y >= rect.y && y < rect.y + rect.h) ?? null;
  }

  zoomOf(tile) {
    const { zoom } = this.page;
    return tile.main ? zoom : { scale: 1, x: 0, y: 0, whole: zoom.whole && !tile.small };
  }

  // Pixel (u, v) of a tile's plane under a point of the canvas.
  pixelAt(tile, x, y) {
    const at = place(tile.plane, tile.rect, this.zoomOf(tile));
    return { u: (x - at.x) / at.sx, v: (y - at.y) / at.sy, at };
  }

  draw() {
    const { page, context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = "#05080a";
    context.fillRect(0, 0, this.width, this.height);
    for (const tile of this.tiles) this.drawTile(tile);
    this.drawBrush();
    this.count += 1;
    page.drawnFrame = page.frame;
  }

  drawTile(tile) {
    const { page, context } = this, { plane, rect } = tile;
    const frame = plane.frameAt(page.frame, page.total);
    const zoom = this.zoomOf(tile);
    const at = drawPlane(context, plane, rect, frame, {
      zoom, lookup: page.lookup[plane.view], outlines: page.outlines, hidden: page.hidden, own: page.own && tile.main,
      line: tile.small ? 1 : tile.main ? 1.8 : 1.4, fast: page.playing,
    });
    if (plane.facts.slice_lines.length) this.drawLines(tile, at);
    if (!tile.small) this.drawPoints(tile, at, frame);
    this.caption(tile, frame);
  }

  drawLines(tile, at) {
    const { context, page } = this, { plane, rect } = tile;
    const chosen = page.plane.view === "sax" ? page.plane.index : -1;
    context.save();
    context.beginPath();
    context.rect(rect.x, rect.y, rect.w, rect.h);
    context.clip();
    plane.facts.slice_lines.forEach(([a, b, c], index) => {
      if (tile.small && index !== chosen) return;
      context.strokeStyle = index === chosen ? ACCENT : "rgba(157,176,188,.35)";
      context.lineWidth = index === chosen ? 1.6 : 0.8;
      const across = Math.abs(b) > Math.abs(a);
      const ends = across ? [[0, -c / b], [plane.width, -(a * plane.width + c) / b]] : [[-c / a, 0], [-(b * plane.height + c) / a, plane.height]];
      context.beginPath();
      // A pixel's centre is whole in the grid, at a half on the screen.
      ends.forEach(([u, v], i) => context[i ? "lineTo" : "moveTo"](at.x + (u + 0.5) * at.sx, at.y + (v + 0.5) * at.sy));
      context.stroke();
    });
    context.restore();
  }

  // The landmarks, with a ring around those that were moved, and the line of the mitral valve while they are.
  drawPoints(tile, at, frame) {
    const { page } = this, { view } = tile.plane, points = page.doc.points[view], own = page.doc.own_points[view];
    const dragged = page.tool === "points" && tile.main;
    if (!points || !(page.outlines || dragged)) return;
    const hinges = Object.entries(points).filter(([name, byFrame]) => name !== "apex" && byFrame[frame]).map(([, byFrame]) => byFrame[frame]);
    if (dragged && hinges.length === 2) this.drawValve(at, hinges);
    for (const [name, byFrame] of Object.entries(points)) {
      const colour = name === "apex" ? "#7ae7ff" : "#ffd166", moved = page.moved.has(`${view} ${name} ${frame}`);
      if (page.own && tile.main && own?.[name]?.[frame]) this.dot(at, own[name][frame], 3, null, "rgba(255,255,255,.75)");
      if (byFrame[frame]) this.dot(at, byFrame[frame], dragged ? 5 : 3, colour, moved ? "#f0b75a" : dragged ? "#fff" : null);
    }
  }

  drawValve(at, [[u0, v0], [u1, v1]]) {
    const { context } = this;
    context.strokeStyle = "rgba(255,209,102,.6)";
    context.lineWidth = 1.2;
    context.beginPath();
    context.moveTo(at.x + (u0 + 0.5) * at.sx, at.y + (v0 + 0.5) * at.sy);
    context.lineTo(at.x + (u1 + 0.5) * at.sx, at.y + (v1 + 0.5) * at.sy);
    context.stroke();
  }

  dot(at, [u, v], radius, fill, ring) {
    const { context } = this;
    context.beginPath();
    context.arc(at.x + (u + 0.5) * at.sx, at.y + (v + 0.5) * at.sy, radius, 0, 7);
    if (fill) { context.fillStyle = fill; context.fill(); }
    if (ring) { context.strokeStyle = ring; context.lineWidth = 2; context.stroke(); }
  }

  caption(tile, frame) {
    const { context, page } = this, { plane, rect } = tile;
    const isSax = plane.view === "sax";
    const chosen = plane === page.plane;
    const corrected = page.isCorrected(plane, frame);
    context.textBaseline = "alphabetic";
    if (chosen && !tile.main) {
      context.strokeStyle = ACCENT;
      context.lineWidth = 2;
      context.strokeRect(rect.x + 1, rect.y + 1, rect.w - 2, rect.h - 2);
    }
    context.font = `${tile.small ? 10 : 12}px system-ui, sans-serif`;
    const text = isSax ? (tile.small ? `${plane.index}` : `slice ${plane.index}`) : tile.small ? plane.facts.title.replace("-chamber", "CH") : plane.facts.title;
    if (!tile.main) this.text(text, rect.x + 6, rect.y + rect.h - 6, chosen ? INK : SOFT);
    if (corrected) {
      context.fillStyle = "#f0b75a";
      context.beginPath();
      context.arc(rect.x + rect.w - 9, rect.y + rect.h - 10, 3.5, 0, 7);
      context.fill();
    }
    if (!tile.small && isSax && page.isUncounted(plane.index)) this.text("LV not counted", rect.x + 6, rect.y + rect.h - 22, "#f0b75a");
    if (tile.main) {
      context.font = "600 13px system-ui, sans-serif";
      this.text(`${plane.facts.title}${isSax ? `, slice ${plane.index}` : ""} · frame ${frame}${page.markOf()}`, rect.x + 10, rect.y + 20, INK);
    }
    if (!plane.pixels) this.text("loading", rect.x + rect.w / 2 - 20, rect.y + rect.h / 2, SOFT);
  }

  text(text, x, y, colour) {
    this.context.strokeStyle = "rgba(0,0,0,.85)";
    this.context.lineWidth = 3;
    this.context.strokeText(text, x, y);
    this.context.fillStyle = colour;
    this.context.fillText(text, x, y);
  }

  drawBrush() {
    const { page, context } = this, pointer = page.pointer, under = pointer && this.tileAt(pointer.x, pointer.y);
    this.canvas.classList.toggle("grabs", page.tool === "points" && Boolean(under?.main && pointAt(this, under, pointer)));
    if (!pointer || !page.corrects || pointer.touch) return;
    const tile = this.tileAt(pointer.x, pointer.y);
    if (page.tool === "points") return;
    if (!tile || tile.small || tile.reference) return;
    if (page.tool === "pull") { this.drawGrip(tile, pointer); return; }
    const { at } = this.pixelAt(tile, pointer.x, pointer.y);
    const [dx, dy] = tile.plane.facts.spacing_mm, r = page.brush;
    context.beginPath();
    context.ellipse(pointer.x, pointer.y, (r / dx) * at.sx, (r / dy) * at.sy, 0, 0, 7);
    context.strokeStyle = page.tool === "erase" ? "#fff" : page.tool === "nudge" ? "#ffd166" : page.structure.colour;
    context.lineWidth = 1.5;
    context.stroke();
  }

  // The point of the outline that would be pulled, or is, and how far around it the outline follows.
  drawGrip(tile, pointer) {
    const { page, context } = this, { plane } = tile, { stroke } = page;
    const { u, v, at } = this.pixelAt(tile, pointer.x, pointer.y);
    if (!plane.labels) return;
    const held = stroke?.held ?? grip(plane, plane.frameAt(page.frame, page.total), u, v, page.hidden), point = stroke?.at ?? held;
    if (!held) return;
    const [dx, dy] = plane.facts.spacing_mm, moved = Math.hypot((point.u - held.u) * dx, (point.v - held.v) * dy), r = reach(page.brush, moved);
    const x = at.x + point.u * at.sx, y = at.y + point.v * at.sy;
    context.strokeStyle = "rgba(255,255,255,.35)";
    context.lineWidth = 1;
    context.beginPath();
    context.ellipse(x, y, (r / dx) * at.sx, (r / dy) * at.sy, 0, 0, 7);
    context.stroke();
    context.beginPath();
    context.arc(x, y, 5, 0, 7);
    context.fillStyle = held.structure.colour;
    context.fill();
    context.strokeStyle = "#fff";
    context.lineWidth = 1.5;
    context.stroke();
  }
}
