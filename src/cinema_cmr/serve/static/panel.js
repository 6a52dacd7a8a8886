// Numbers, curves, flags, segments and history at the side.

import { api } from "./api.js";
import { drawBullseye } from "./bullseye.js";
import { h, number, when, words } from "./dom.js";
import { Plot } from "./plot.js";

const CARDS = [
  ["lv", "Left ventricle", ["lv_ef_percent", "%"], [["lv_edv_ml", "EDV", "ml"], ["lv_esv_ml", "ESV", "ml"], ["lv_sv_ml", "SV", "ml"], ["lv_mass_g", "Mass", "g"]]],
  ["rv", "Right ventricle", ["rv_ef_percent", "%"], [["rv_edv_ml", "EDV", "ml"], ["rv_esv_ml", "ESV", "ml"], ["rv_sv_ml", "SV", "ml"]]],
];
const LONG_CARD = ["long", "Long axis", ["mapse_mean_mm", "mm", "MAPSE"], [["mapse_septal_mm", "Septal", "mm"], ["mapse_lateral_mm", "Lateral", "mm"], ["mapse_anterior_mm", "Anterior", "mm"], ["mapse_inferior_mm", "Inferior", "mm"], ["mapse_anteroseptal_mm", "Anteroseptal", "mm"], ["mapse_inferolateral_mm", "Inferolateral", "mm"]]];
const SCAR_CARD = ["infarct", "Infarct", ["infarct_percent", "%"], [["infarct_g", "Infarct", "g"], ["no_reflow_percent", "No-reflow", "%"]]];

export class Panel {
  constructor(page) {
    this.page = page;
    this.plot = new Plot((frame) => { page.setPlaying(false); page.goFrame(frame); });
    this.cards = h("section", { class: "cards", "aria-label": "Measurements" });
    this.flags = h("section", { class: "flags", "aria-label": "Flags" });
    this.segments = h("section", { class: "segments", "aria-label": "Segments" });
    this.history = h("details", { class: "history" }, h("summary", {}, "History"), h("ol", {}));
    this.element = h("aside", {}, this.cards,
      this.curves = h("section", { class: "curves", "aria-label": "Volume curves" }, h("h2", {}, "Volume, ml", ...["lv", "rv", "myo"].map((name) => h("span", { class: "key" }, h("i", { class: `dot ${name}` }), name === "myo" ? "Myo" : name.toUpperCase()))), this.plot.canvas),
      this.flags, this.segments, this.history, h("p", { class: "notice" }, "For research use only. Not a medical device."));
    this.chosen = 0;
  }

  fit() { this.plot.fit(); }

  drawCurves() {
    const { page } = this;
    if (!page.numbers) return;
    if (!this.plot.width) this.plot.fit();
    this.plot.draw(page.numbers, page.frame, page.doc.times_ms);
  }

  show() {
    const { numbers, doc } = this.page;
    const moves = ["mean", "anterior", "inferolateral"].some((side) => numbers.values[`mapse_${side}_mm`] !== undefined);
    const cards = doc.scheme === "scar" ? [SCAR_CARD] : moves ? [...CARDS, LONG_CARD] : CARDS;
    this.curves.hidden = doc.scheme === "scar";
    this.cards.replaceChildren(...cards.map((one) => this.card(...one)));
    if (numbers.flags) this.showFlags(numbers.flags);
    this.history.querySelector("ol").replaceChildren(...numbers.history.slice().reverse().map((entry) =>
      h("li", {}, entry.what, h("small", { class: "soft" }, ` ${when(entry.when)} · ${entry.version}`))));
    this.history.hidden = !numbers.history.length;
  }

  card(name, title, [main, unit, what], lines) {
    const { values, own_values: own } = this.page.numbers;
    const value = (key, of) => h("b", { "data-value": key }, number(values[key], of));
    const change = (key, of) => {
      const [now, before] = [values[key], own[key]];
      if (now === undefined || now === null || before === null || before === undefined || Math.abs(now - before) < 1e-3 * Math.max(1, Math.abs(before))) return null;
      return h("small", { class: "change", title: "The model's value" }, `model ${number(before, of)}`);
    };
    return h("div", { class: `card ${name}` }, h("h2", {}, h("i", { class: `dot ${name}` }), title),
      h("div", { class: "main" }, value(main, unit), h("span", {}, main.includes("ef") ? "% EF" : what ? `${unit} ${what}` : unit), change(main, unit)),
      h("dl", {}, ...lines.filter(([key]) => values[key] !== undefined).flatMap(([key, short, of]) => [h("dt", {}, short), h("dd", {}, value(key, of), h("small", {}, ` ${of}`), change(key, of))])));
  }

  showFlags(flags) {
    const order = ["error", "warning", "info"];
    const sorted = [...flags].sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
    this.flags.replaceChildren(h("h2", {}, "Flags"), ...(sorted.length ? sorted.map((flag) => this.flag(flag)) : [h("p", { class: "soft" }, "None")]));
  }

  flag(flag) {
    const target = this.target(flag);
    const text = [h("b", {}, words(flag.code)), h("span", {}, flag.message)];
    if (!target) return h("div", { class: `flag ${flag.severity}` }, ...text);
    const where = [target.slice !== null && `slice ${target.slice}`, target.frame !== null && `frame ${target.frame}`].filter(Boolean).join(", ");
    return h("button", { class: `flag ${flag.severity}`, onclick: () => this.follow(target) }, ...text, h("em", {}, `Show ${where}`));
  }

  // Frame and slice that a flag speaks of, by its evidence.
  target(flag) {
    const { evidence } = flag, whole = (value) => (Number.isInteger(value) ? value : null);
    const listed = (value) => (typeof value === "string" ? whole(parseInt(value, 10)) : null);
    const named = Object.keys(evidence).map((key) => /^frame_(\d+)_/.exec(key)).find(Boolean);
    const frame = whole(evidence.frame) ?? whole(evidence.lv_es_frame) ?? whole(evidence.es_frame) ?? listed(evidence.odd_frames) ?? (named ? +named[1] : null);
    const slice = whole(evidence.slice);
    return frame === null && slice === null ? null : { frame, slice };
  }

  follow({ frame, slice }) {
    const { page } = this;
    page.setPlaying(false);
    if (slice !== null) {
      page.goPlane(page.planeOf("sax", slice));
      page.setMode("large");
    }
    if (frame !== null) page.goFrame(frame);
    page.stage.canvas.scrollIntoView({ block: "nearest" });
  }

  async loadSegments() {
    try { this.plots = await api.segments(this.page.id); } catch { this.plots = []; }
    this.showSegments();
  }

  showSegments() {
    const { plots } = this;
    if (!plots.length) { this.segments.replaceChildren(); return; }
    this.chosen = Math.min(this.chosen, plots.length - 1);
    const canvas = h("canvas", { class: "bullseye", "aria-label": `${plots[this.chosen].title}, 16 segments` });
    const choose = h("select", { "aria-label": "Measurement of the segments", onchange: () => { this.chosen = choose.selectedIndex; this.showSegments(); } },
      ...plots.map((plot, i) => h("option", { selected: i === this.chosen }, `${plot.title}, ${plot.unit}`)));
    this.segments.replaceChildren(h("h2", {}, "Segments"), choose, canvas);
    drawBullseye(canvas, plots[this.chosen]);
  }
}
