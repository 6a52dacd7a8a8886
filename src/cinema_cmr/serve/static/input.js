// Keyboard, mouse and touch of the study page.

import { between, disc } from "./correct.js";
import { toast } from "./dom.js";
import { dragTo as dragPoint, ownPoints, startDrag } from "./points.js";
import { grip, pull } from "./pull.js";

export class Input {
  constructor(page) {
    this.page = page;
    this.touches = new Map();
    const { canvas } = page.stage, options = { signal: page.events.signal };
    addEventListener("keydown", (event) => this.key(event), options);
    canvas.addEventListener("pointerdown", (event) => this.down(event), options);
    canvas.addEventListener("pointermove", (event) => this.move(event), options);
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event), options);
    canvas.addEventListener("pointerleave", () => { page.pointer = null; if (page.corrects) page.redraw(); }, options);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { ...options, passive: false });
    canvas.addEventListener("dblclick", (event) => this.open(event), options);
    canvas.addEventListener("contextmenu", (event) => event.preventDefault(), options);
  }

  key(event) {
    const { page } = this;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "range") return;
    if (page.help) { if (event.key === "Escape" || event.key === "?") page.toggleHelp(); return; }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((event.ctrlKey || event.metaKey) && key !== "z" && key !== "y") return;
    const act = this.actions(event)[key];
    if (!act) return;
    if (event.target.tagName === "BUTTON" && (key === " " || key === "Enter")) return;
    event.preventDefault();
    act();
  }

  actions(event) {
    const { page } = this, { corrections } = page, shift = event.shiftKey;
    return {
      " ": () => page.setPlaying(!page.playing),
      ArrowLeft: () => { page.setPlaying(false); page.goFrame(page.frame - 1); },
      ArrowRight: () => { page.setPlaying(false); page.goFrame(page.frame + 1); },
      ArrowUp: () => page.stepSlice(-1),
      ArrowDown: () => page.stepSlice(1),
      d: () => (shift ? page.chooseFrame("ed") : this.mark("ed_frame")),
      s: () => (shift ? page.chooseFrame("es") : this.mark("es_frame")),
      m: () => page.setMode(page.mode === "mosaic" ? "large" : "mosaic"),
      Enter: () => page.setMode(page.mode === "mosaic" ? "large" : "mosaic"),
      ",": () => page.setPace(page.pace / 2),
      ".": () => page.setPace(page.pace * 2),
      w: () => page.resetWindow(),
      f: () => page.setWhole(!page.zoom.whole),
      "+": () => page.zoomBy(1.25), "=": () => page.zoomBy(1.25), "-": () => page.zoomBy(0.8), 0: () => page.resetZoom(),
      o: () => page.toggleOutlines(),
      g: () => page.toggleOwn(),
      v: () => page.setTool("look"), b: () => page.setTool("brush"), e: () => page.setTool("erase"), n: () => page.setTool("nudge"), p: () => page.setTool("pull"), h: () => page.setTool("points"),
      ...Object.fromEntries(page.structures.map((one, i) => [i + 1, () => page.setStructure(one)])),
      "[": () => page.setBrush(page.brush / 1.2), "]": () => page.setBrush(page.brush * 1.2),
      z: () => (shift ? corrections.redo() : corrections.undo()),
      y: () => corrections.redo(),
      c: () => (shift ? this.copySlice() : this.copyFrame()),
      i: () => this.interpolate(),
      r: () => this.takeBack(),
      x: () => this.reject(),
      a: () => page.countAll(),
      "?": () => page.toggleHelp(),
      Escape: () => (page.corrects ? page.setTool("look") : page.mode === "large" ? page.setMode("mosaic") : (location.hash = "#/")),
    };
  }

  mark(name) {
    const at = this.page.numbers[name];
    if (at !== null) { this.page.setPlaying(false); this.page.goFrame(at); }
  }

  // Copies and interpolation.

  // To the next frame that the page shows: of a view with more frames than the stack, some are never shown.
  copyFrame() {
    const { page } = this, { plane } = page, frame = page.frameHere();
    let at = page.frame + 1;
    while (at < page.total && plane.frameAt(at, page.total) === frame) at += 1;
    if (!plane.labels || at >= page.total) return;
    page.corrections.apply("copied to the next frame", [{ plane, frame: plane.frameAt(at, page.total), after: plane.codes(frame).slice() }]);
    page.goFrame(at);
  }

  copySlice() {
    const { page } = this, { plane } = page, frame = page.frameHere();
    const next = page.planeOf(plane.view, plane.index + 1);
    if (!plane.labels || !next?.labels) return;
    page.corrections.apply("copied to the next slice", [{ plane: next, frame, after: plane.codes(frame).slice() }]);
    page.goPlane(next);
  }

  interpolate() {
    const { page } = this, { plane } = page, frame = page.frameHere();
    const known = [...Array(plane.frames).keys()].filter((one) => page.isCorrected(plane, one));
    const first = known.filter((one) => one < frame).pop(), last = known.find((one) => one > frame);
    if (first === undefined || last === undefined) { toast("Correct a frame before and one after this, in this slice", "error"); return; }
    const [a, b] = [first, last].map((one) => plane.codes(one).slice());
    const changes = [];
    for (let one = first + 1; one < last; one++) {
      changes.push({ plane, frame: one, after: between(a, b, (one - first) / (last - first), plane) });
    }
    page.corrections.apply(`interpolated frames ${first + 1} to ${last - 1}`, changes);
  }

  reject() {
    const { page } = this, { plane } = page, frame = page.frameHere();
    if (!plane.labels) return;
    page.corrections.apply(`rejected slice ${plane.index} frame ${frame}`, [{ plane, frame, after: new Uint8Array(plane.width * plane.height) }]);
  }

  async takeBack() {
    const { page } = this, { plane } = page, frame = page.frameHere();
    if (page.tool === "points") { page.corrections.movePoints("landmarks as the model had them", ownPoints(page, plane.view, frame)); return; }
    if (!plane.labels) return;
    await plane.loadOwn();
    page.corrections.apply("as the model had it", [{ plane, frame, after: plane.ownCodes(frame).slice() }]);
  }

  // Pointer.

  at(event) { return { x: event.offsetX, y: event.offsetY, touch: event.pointerType === "touch" }; }

  down(event) {
    const { page } = this;
    page.stage.canvas.focus({ preventScroll: true });
    page.stage.canvas.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, this.at(event));
    if (this.touches.size === 2) { this.endStroke(true); this.endPoint(true); this.pinch = this.spread(); this.drag = null; return; }
    const point = this.at(event), tile = page.stage.tileAt(point.x, point.y);
    if (!tile) return;
    if (tile.reference) { this.jumpToSlice(tile, point); return; }
    if (!tile.main) page.goPlane(tile.plane);
    if (page.tool === "points" && event.button === 0 && !event.shiftKey && tile.main && page.doc.points[tile.plane.view]) {
      this.startPoint(tile, point);
      return;
    }
    if (page.corrects && page.tool !== "points" && event.button === 0 && !event.shiftKey && tile.main && tile.plane.labels) { this.startStroke(tile, point); return; }
    const window = [...tile.plane.facts.chosenWindow];
    this.drag = { ...point, tile, window, zoom: { ...page.zoom }, moves: event.shiftKey || event.button !== 0 };
  }

  move(event) {
    const { page } = this, point = this.at(event);
    page.pointer = point;
    if (this.touches.has(event.pointerId)) this.touches.set(event.pointerId, point);
    if (this.pinch && this.touches.size === 2) { this.pinchTo(); return; }
    if (this.held) { dragPoint(page.stage, this.held, point); page.redraw(); return; }
    if (this.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.strokeTo(this.at(one));
    } else if (this.drag) this.dragTo(point);
    if (page.corrects || this.stroke) page.redraw();
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (this.touches.size < 2) this.pinch = null;
    this.endStroke(false);
    this.endPoint();
    this.drag = null;
  }

  wheel(event) {
    event.preventDefault();
    const { page } = this;
    if (event.ctrlKey) { page.zoomBy(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY); return; }
    if (event.altKey || (page.corrects && event.shiftKey)) { page.setBrush(page.brush * (event.deltaY > 0 ? 0.9 : 1.1)); return; }
    this.scrolled = (this.scrolled ?? 0) + event.deltaY;
    if (Math.abs(this.scrolled) < 40) return;
    page.stepSlice(Math.sign(this.scrolled));
    this.scrolled = 0;
  }

  open(event) {
    const { page } = this, tile = page.stage.tileAt(event.offsetX, event.offsetY);
    if (!tile || page.corrects) return;
    page.goPlane(tile.plane);
    page.setMode(page.mode === "mosaic" || !tile.main ? "large" : "mosaic");
  }

  // The slice of the stack that is nearest to a point of a long axis.
  jumpToSlice(tile, point) {
    const { u, v } = this.page.stage.pixelAt(tile, point.x, point.y);
    const away = tile.plane.facts.slice_lines.map(([a, b, c]) => Math.abs(a * (u - 0.5) + b * (v - 0.5) + c));
    if (away.length) this.page.goPlane(this.page.planeOf("sax", away.indexOf(Math.min(...away))));
    else { this.page.goPlane(tile.plane); }
  }

  dragTo(point) {
    const { page, drag } = this, dx = point.x - drag.x, dy = point.y - drag.y;
    if (drag.moves) { Object.assign(page.zoom, { x: drag.zoom.x + dx, y: drag.zoom.y + dy }); page.redraw(); return; }
    if (Math.hypot(dx, dy) < 3) return;
    const [low, high] = drag.window, width = (high - low) * Math.exp(dx / 250), level = (low + high) / 2 + ((high - low) * dy) / 400;
    page.setWindow(drag.tile.plane.view, level - width / 2, level + width / 2);
  }

  spread() {
    const [a, b] = [...this.touches.values()];
    return { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  }

  pinchTo() {
    const { page } = this, now = this.spread();
    page.zoomBy(now.distance / Math.max(1, this.pinch.distance), now.x, now.y);
    Object.assign(page.zoom, { x: page.zoom.x + now.x - this.pinch.x, y: page.zoom.y + now.y - this.pinch.y });
    this.pinch = now;
    page.redraw();
  }

  // Landmarks.

  startPoint(tile, point) {
    const { page } = this;
    if (!page.corrections.ready) return;
    page.setPlaying(false);
    this.held = startDrag(page.stage, tile, point);
    page.stroke = this.held;
    if (!this.held) toast("Drag one of the points");
    page.redraw();
  }

  endPoint(dropped = false) {
    const { held, page } = this;
    if (!held) return;
    this.held = page.stroke = null;
    const { view, name, frame, before } = held, after = page.doc.points[view][name][frame];
    page.doc.points[view][name][frame] = before;
    page.redraw();
    if (dropped || (before && Math.hypot(after[0] - before[0], after[1] - before[1]) < 0.05)) return;
    page.corrections.movePoints(`${name.replace("_", " ")} moved, frame ${frame}`, [{ view, name, frame, before, after }]);
  }

  // Strokes.

  startStroke(tile, point) {
    if (!this.page.corrections.ready) return;
    const { page } = this, { plane } = tile, frame = page.frameHere();
    const { u, v } = page.stage.pixelAt(tile, point.x, point.y);
    const held = page.tool === "pull" ? grip(plane, frame, u, v, page.hidden) : null;
    if (page.tool === "pull" && !held) { toast("Start near an outline"); return; }
    const codes = plane.codes(frame), under = codes[Math.floor(v) * plane.width + Math.floor(u)] ?? 0;
    const code = page.tool === "brush" ? page.structure.code : page.tool === "nudge" ? under : 0;
    page.setPlaying(false);
    this.stroke = page.stroke = { tile, plane, frame, code, before: codes.slice(), u, v, held, start: { u, v } };
    this.strokeTo(point);
    page.redraw();
  }

  strokeTo(point) {
    const { page, stroke } = this, { plane, tile } = stroke;
    const { u, v } = page.stage.pixelAt(tile, point.x, point.y);
    if (stroke.held) { stroke.at = pull(plane, stroke.frame, stroke.before, stroke.held, u - stroke.start.u, v - stroke.start.v, page.brush); return; }
    const [dx] = plane.facts.spacing_mm, steps = Math.max(1, Math.ceil((Math.hypot(u - stroke.u, v - stroke.v) * dx) / (page.brush / 2)));
    for (let k = 1; k <= steps; k++) {
      disc(plane.codes(stroke.frame), plane, stroke.u + ((u - stroke.u) * k) / steps, stroke.v + ((v - stroke.v) * k) / steps, page.brush, stroke.code);
    }
    Object.assign(stroke, { u, v });
    plane.forget(stroke.frame);
  }

  dropStroke() { this.stroke = this.held = this.page.stroke = null; }

  endStroke(dropped) {
    const { stroke, page } = this;
    if (!stroke) return;
    this.dropStroke();
    if (dropped) { stroke.plane.setCodes(stroke.frame, stroke.before); page.redraw(); return; }
    const what = { brush: `brush, ${page.structure.title}`, nudge: "nudge", erase: "eraser", pull: `pull, ${stroke.held?.structure.title}` }[page.tool];
    page.corrections.stroke(`${what}, slice ${stroke.plane.index} frame ${stroke.frame}`, stroke.plane, stroke.frame, stroke.before);
  }
}
