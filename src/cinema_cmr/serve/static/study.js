// The study page: images, curves, numbers and corrections of one study.

import { api } from "./api.js";
import { Corrections } from "./correct.js";
import { h, toast } from "./dom.js";
import { Input } from "./input.js";
import { Panel } from "./panel.js";
import { Lookup, Plane, SCHEMES } from "./picture.js";
import { Stage } from "./stage.js";
import { ALL_SLICES, bottomBar, editBar, headBar, toolBar } from "./bars.js";
import { helpOverlay } from "./help.js";

const AT_ONCE = 4, CYCLE_MS = 1000, FULL_NUMBERS_MS = 1200, MIN_BRUSH = 1.5, MAX_BRUSH = 40;
const VIEWS = ["sax", "lax_4c", "lax_2c", "lax_3c", "other"];

export class StudyPage {
  constructor(id) {
    Object.assign(this, {
      id, planes: [], plane: null, frame: 0, total: 1, mode: "mosaic", tool: "look", structure: null, brush: 6,
      outlines: true, hidden: new Set(), own: false, playing: false, pace: 1, lookup: {}, numbers: null, pointer: null,
      zoom: { scale: 1, x: 0, y: 0, whole: false }, corrected: new Set(), moved: new Set(), stats: { latency: [], opened: null, first: null, started: performance.now() },
    });
    this.stage = new Stage(this);
    this.panel = new Panel(this);
    this.corrections = new Corrections(this);
    this.events = new AbortController();
    this.head = headBar(this);
    this.tools = toolBar(this);
    this.edits = editBar(this);
    this.bottom = bottomBar(this);
    this.element = h("div", { class: "study" }, this.head.element,
      h("div", { class: "work" }, this.tools.element,
        h("div", { class: "middle" }, this.stage.canvas, this.edits.element, this.bottom.element), this.panel.element));
    globalThis.cinemaPage = this;
  }

  async open() {
    const [doc, numbers] = await Promise.all([api.study(this.id), api.numbers(this.id)]);
    this.doc = doc;
    document.title = `${doc.name} – CineMA`;
    for (const view of VIEWS.filter((name) => doc.views[name])) this.addView(view, doc.views[view]);
    // Frames of the page are those of the stack, of which ED, ES and the curves are numbers; other views follow in step.
    this.total = this.planeOf("sax", 0)?.frames ?? Math.max(...this.planes.map((plane) => plane.frames));
    this.showStored(numbers);
    this.frame = numbers.ed_frame ?? 0;
    this.plane = this.planes[Math.floor((doc.views.sax?.n_slices ?? 1) / 2)] ?? this.planes[0];
    [this.structure] = this.structures;
    this.head.show();
    this.tools.fit();
    this.bottom.fit();
    this.input = new Input(this);
    new ResizeObserver(() => { this.stage.fit(); this.panel.fit(); this.redraw(); }).observe(this.stage.canvas);
    this.stage.fit();
    this.redraw();
    this.ready = this.loadAll();
    // Results on a read-only disk can be looked at, too.
    await api.opened(this.id).catch((error) => this.failed(new Error(`Nothing can be stored: ${error.message}`)));
    this.panel.loadSegments();
    addEventListener("focus", () => this.follow(), { signal: this.events.signal });
  }

  addView(view, facts) {
    this.lookup[view] = new Lookup();
    this.lookup[view].set(...facts.window);
    facts.chosenWindow = [...facts.window];
    for (let index = 0; index < facts.n_slices; index++) this.planes.push(new Plane(this.id, view, index, facts, SCHEMES[facts.scheme]));
  }

  async loadAll() {
    const middle = this.planes.indexOf(this.plane);
    const waiting = [...this.planes].sort((a, b) => Math.abs(this.planes.indexOf(b) - middle) - Math.abs(this.planes.indexOf(a) - middle));
    const worker = async () => {
      for (let plane = waiting.pop(); plane && !this.closed; plane = waiting.pop()) {
        await plane.load();
        this.stats.first ??= performance.now() - this.stats.started;
        this.redraw();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker)).catch((error) => this.failed(error));
    this.stats.opened = performance.now() - this.stats.started;
  }

  close() {
    this.closed = true;
    this.setPlaying(false);
    this.events.abort();
    this.help?.remove();
  }

  failed(error) { toast(error.message, "error"); }

  // What may be drawn in the chosen slice: the atria in the long axes alone.
  get structures() { return this.plane?.structures ?? []; }

  // Frames and slices.

  redraw() {
    if (this.waits || this.closed) return;
    this.waits = requestAnimationFrame(() => {
      this.waits = 0;
      this.stage.draw();
      this.bottom.show();
      this.panel.drawCurves();
    });
  }

  goFrame(frame) {
    this.frame = ((frame % this.total) + this.total) % this.total;
    this.redraw();
  }

  goPlane(plane) {
    if (!plane || plane === this.plane) return;
    this.plane = plane;
    if (!this.structures.includes(this.structure)) [this.structure] = this.structures;
    this.tools.fit();
    this.edits.show();
    this.stage.fit();
    if (this.own) plane.loadOwn().then(() => this.redraw());
    this.redraw();
  }

  goTo(plane, frame) {
    this.goPlane(plane);
    if (plane.frameAt(this.frame, this.total) !== frame) this.goFrame(plane.frameOfStudy(frame, this.total));
  }

  stepSlice(step) {
    const i = this.planes.indexOf(this.plane) + step;
    this.goPlane(this.planes[Math.max(0, Math.min(this.planes.length - 1, i))]);
  }

  setMode(mode) {
    this.mode = mode;
    Object.assign(this.zoom, { scale: 1, x: 0, y: 0 });
    this.stage.arrange();
    this.tools.show();
    this.redraw();
  }

  // The long axes shown beside a large slice, two at most.
  references() {
    if (this.plane.view !== "sax") return [];
    return this.planes.filter((plane) => plane.view.startsWith("lax")).slice(0, 2);
  }

  planeOf(view, index) { return this.planes.find((plane) => plane.view === view && plane.index === index); }

  frameHere() { return this.plane.frameAt(this.frame, this.total); }

  markOf() {
    const marks = [["ED", this.numbers.ed_frame], ["ES", this.numbers.es_frame]].filter(([, at]) => at === this.frame);
    return marks.length ? ` · ${marks.map(([name]) => name).join(", ")}` : "";
  }

  isCorrected(plane, frame) { return this.corrected.has(`${plane.view} ${frame} ${plane.index}`); }

  isUncounted(index) {
    const name = this.frame === this.numbers.ed_frame ? "lv_edv_ml" : this.frame === this.numbers.es_frame ? "lv_esv_ml" : null;
    const slices = name && this.numbers.slices[name];
    if (!slices?.length) return false;
    const plane = this.planeOf("sax", index), codes = plane?.codes(this.frame);
    return !slices.includes(index) && Boolean(codes?.includes(plane.structures.find((one) => one.name === "lv").code));
  }

  // Play.

  setPlaying(on) {
    if (on === this.playing || this.total < 2) return;
    this.playing = on;
    this.bottom.show();
    if (!on) { this.redraw(); return; }
    const cycle = this.doc.views.sax?.rr_interval_ms ?? CYCLE_MS;
    let before = performance.now(), spent = 0;
    const step = (now) => {
      if (!this.playing || this.closed) return;
      spent += Math.max(0, now - before) * this.pace;
      before = now;
      const each = cycle / this.total;
      if (spent >= each) {
        this.frame = (this.frame + Math.floor(spent / each)) % this.total;
        spent %= each;
        this.stage.draw();
        this.bottom.show();
        this.panel.drawCurves();
      }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  setPace(pace) {
    this.pace = Math.max(0.125, Math.min(2, pace));
    this.bottom.show();
  }

  // Window and zoom.

  setWindow(view, low, high) {
    const facts = this.doc.views[view];
    facts.chosenWindow = [low, Math.max(high, low + 1)];
    this.lookup[view].set(...facts.chosenWindow);
    this.redraw();
  }

  resetWindow() {
    for (const [view, facts] of Object.entries(this.doc.views)) this.setWindow(view, ...facts.window);
    this.redraw();
  }

  zoomBy(factor, x = this.stage.width / 2, y = this.stage.height / 2) {
    const main = this.stage.tiles.find((tile) => tile.main);
    if (!main) { this.setMode("large"); return; }
    const { zoom } = this, { rect } = main;
    const scale = Math.max(0.5, Math.min(12, zoom.scale * factor));
    const grown = scale / zoom.scale;
    const [cx, cy] = [x - rect.x - rect.w / 2, y - rect.y - rect.h / 2];
    Object.assign(zoom, { scale, x: cx - (cx - zoom.x) * grown, y: cy - (cy - zoom.y) * grown });
    this.redraw();
  }

  resetZoom() { Object.assign(this.zoom, { scale: 1, x: 0, y: 0 }); this.redraw(); }

  setWhole(whole) {
    Object.assign(this.zoom, { scale: 1, x: 0, y: 0, whole });
    this.stage.arrange();
    this.redraw();
  }

  // Tools.

  get corrects() { return this.tool !== "look"; }

  // Views with landmarks: those that a model found any in.
  get hasPoints() { return this.planes.some((plane) => this.doc.points[plane.view]); }

  // The middle one of the slices that can be corrected.
  maskedPlane() {
    const masked = this.planes.filter((plane) => plane.facts.has_mask);
    return masked[Math.floor(masked.length / 2)];
  }

  setTool(tool) {
    if (tool === "points" && !this.hasPoints) { toast("No landmarks were found in this study", "error"); return; }
    this.tool = tool;
    if (this.corrects) this.setPlaying(false);
    if (tool === "points" && !this.doc.points[this.plane.view]) this.goPlane(this.planes.find((plane) => this.doc.points[plane.view]));
    if (this.corrects && tool !== "points" && !this.plane.facts.has_mask) this.goPlane(this.maskedPlane());
    if (this.corrects && this.mode === "mosaic") this.setMode("large");
    this.stage.canvas.classList.toggle("corrects", this.corrects);
    this.tools.show();
    this.edits.show();
    this.stage.fit();
    this.redraw();
  }

  setStructure(structure) {
    if (!structure) return;
    this.structure = structure;
    if (this.tool !== "brush") this.setTool("brush");
    this.tools.show();
    this.redraw();
  }

  setBrush(radius) {
    this.brush = Math.max(MIN_BRUSH, Math.min(MAX_BRUSH, radius));
    this.tools.show();
    this.redraw();
  }

  toggleOutlines() { this.outlines = !this.outlines; this.tools.show(); this.redraw(); }

  async toggleOwn() {
    this.own = !this.own;
    this.tools.show();
    if (this.own) await this.plane.loadOwn();
    this.redraw();
  }

  // Numbers.

  // Numbers of the labels that the page shows: what it changes from now on is changed in these.
  showStored(numbers) {
    this.revision = numbers.revision;
    this.showNumbers(numbers);
  }

  showNumbers(numbers) {
    // A quick answer has the principal values alone: the others stay until all are measured.
    this.numbers = numbers.flags ? numbers : { ...numbers, flags: this.numbers.flags, curves: { ...this.numbers.curves, ...numbers.curves } };
    this.corrected = new Set(numbers.corrected.map(([view, frame, index]) => `${view} ${frame} ${index}`));
    this.moved = new Set(numbers.moved.map((one) => one.join(" ")));
    this.panel.show();
    this.head.show();
    this.edits.show();
    this.redraw();
  }

  fullNumbersSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.follow(), FULL_NUMBERS_MS);
  }

  // Show all numbers; where another window has changed the study, first what is stored now.
  async follow() {
    const { sending } = this.corrections;
    try {
      await sending;
      const numbers = await api.numbers(this.id);
      if (this.closed || this.stroke || this.corrections.stale || sending !== this.corrections.sending) return;
      if (numbers.revision === this.revision) this.showNumbers(numbers);
      else {
        await this.corrections.recover();
        toast("Changed in another window: this is what is stored now");
      }
      this.panel.loadSegments();
    } catch (error) { this.failed(error); }
  }

  // A late-enhancement image has no end-diastole and no end-systole.
  get hasPhases() { return this.doc.scheme === "cine"; }

  chooseFrame(name) {
    if (!this.hasPhases) return;
    const other = name === "ed" ? "es" : "ed";
    if (this.numbers[`${other}_frame`] === this.frame) { toast(`Frame ${this.frame} is ${other.toUpperCase()}`, "error"); return; }
    this.corrections.send({ what: `${name.toUpperCase()} moved to frame ${this.frame}`, [`${name}_frame`]: this.frame });
  }

  // Accept basal slices that the rule leaves out, or follow the rule of the model's run again.
  countAll() {
    if (!this.hasPhases) return;
    const { basal_rule: now, own_basal_rule: own } = this.numbers;
    const rule = now !== ALL_SLICES ? ALL_SLICES : own !== ALL_SLICES ? own : "scmr";
    this.corrections.send({ what: `basal rule ${rule}`, basal_rule: rule });
  }

  ownFrames() { this.corrections.send({ what: "ED and ES as found", own_frames: true }); }

  // Show the labels and numbers that the server has. The numbers first: if another window changes the study meanwhile,
  // the labels are the later ones, and the next change is refused.
  async reload() {
    this.input.dropStroke();
    const numbers = await api.numbers(this.id);
    const [doc] = await Promise.all([api.study(this.id), ...this.planes.map((plane) => plane.loadLabels())]);
    Object.assign(this.doc, { points: doc.points, own_points: doc.own_points });
    this.showStored(numbers);
  }

  async signOff(signed) {
    this.head.busy(signed ? "Writing the report" : "");
    try {
      await this.corrections.settled();
      this.showStored(await api.signOff(this.id, signed, this.revision));
      toast(signed ? "Signed off" : "Sign-off withdrawn");
      if (signed && this.numbers.older_objects) toast("The DICOM objects beside the results are of before the correction: write them anew by cinema export … --overwrite", "error");
    } catch (error) { this.failed(error); }
    this.head.busy("");
  }

  openReport() {
    return this.openTab("Writing the report", async () => {
      await api.results(this.id);
      return `/api/studies/${this.id}/report`;
    });
  }

  compareWithModel() {
    if (!["corrected", "signed off"].includes(this.numbers.state)) { toast("Nothing is corrected yet: these are the model's results", "error"); return; }
    return this.openTab("Comparing", async () => `/api/comparisons/${(await api.compare(this.id)).id}`);
  }

  // A tab is opened at the click, as browsers want it, and shows what `make` gives the address of.
  async openTab(text, make) {
    const tab = window.open("", "_blank");
    this.head.busy(text);
    try {
      await this.corrections.settled();
      tab.location = await make();
    } catch (error) { tab?.close(); this.failed(error); }
    this.head.busy("");
  }

  toggleHelp() {
    if (this.help) { this.help.remove(); this.help = null; return; }
    this.help = helpOverlay(this.structures, () => this.toggleHelp());
    document.body.append(this.help);
    this.help.querySelector("button").focus();
  }
}
