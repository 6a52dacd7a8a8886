// Head, tools and transport of the study page.

import { h, icon } from "./dom.js";

export const ALL_SLICES = "all-slices";

const ICONS = {
  look: ["M4 4l7 16 2-7 7-2z"],
  brush: ["M20 4c-5 1-10 6-11 9l2 2c3-1 8-6 9-11zM8 14c-2 0-3 1-3 3 0 1-1 2-2 2 1 1 3 1 4 1 2 0 3-2 3-4z"],
  erase: ["M7 20h13M4 15l9-10 6 6-8 9H8z"],
  nudge: ["M3 12h10M9 8l4 4-4 4M17 5a10 10 0 0 1 0 14"],
  pull: ["M4 19c3-9 6-12 8-12s5 3 8 12", "M12 3a2 2 0 1 0 .01 0z", "M12 17v-5M10 14l2-2 2 2"],
  points: ["M7 8a2 2 0 1 0 .01 0z", "M17 8a2 2 0 1 0 .01 0z", "M9 10h6", "M12 20v-6M9.500 17l2.500 3 2.500-3"],
  undo: ["M9 14L4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3"],
  redo: ["M15 14l5-5-5-5M20 9H10a6 6 0 0 0 0 12h3"],
  mosaic: ["M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z"],
  large: ["M4 4h16v11H4zM4 18h4v3H4zM10 18h4v3h-4zM16 18h4v3h-4z"],
  outlines: ["M12 4a8 8 0 1 0 .01 0zM12 8a4 4 0 1 0 .01 0z"],
  own: ["M9 4a8 8 0 1 0 .01 0zM15 4a8 8 0 0 1 0 16"],
  play: ["M7 4l13 8-13 8z"],
  pause: ["M7 4h4v16H7zM14 4h4v16h-4z"],
};

const button = (name, title, onclick) => h("button", { class: "tool", title, "aria-label": title, onclick }, icon(...ICONS[name]));

export function headBar(page) {
  const name = h("h1", {}), facts = h("span", { class: "soft facts" }), state = h("span", { class: "pill state" });
  const busy = h("span", { class: "soft busy" });
  const report = h("button", { onclick: () => page.openReport() }, "Report");
  const compare = h("button", { title: "The model's results and the corrected ones beside each other", onclick: () => page.compareWithModel() }, "Compare");
  const sign = h("button", { class: "primary", onclick: () => page.signOff(!page.numbers.signed_off) }, "Sign off");
  const element = h("header", { class: "bar" },
    h("a", { class: "button back", href: "#/", "aria-label": "All studies" }, "‹ Studies"), name, facts, state, h("span", { class: "grow" }), busy,
    h("button", { onclick: () => page.toggleHelp(), title: "Keys (?)", "aria-label": "Keys" }, "?"), compare, report, sign);
  return {
    element,
    show() {
      if (!page.doc || !page.numbers) return;
      const { subject, model } = page.doc, sex = { F: "female", M: "male" }[subject.sex];
      name.textContent = page.doc.name;
      facts.textContent = [sex, subject.age_years && `${Math.round(subject.age_years)} y`, `model ${model.name}`].filter(Boolean).join(" · ");
      state.textContent = page.numbers.state;
      state.className = `pill state ${page.numbers.state.replace(" ", "-")}`;
      sign.textContent = page.numbers.signed_off ? "Withdraw sign-off" : "Sign off";
    },
    busy(text) { busy.textContent = text; sign.disabled = report.disabled = compare.disabled = Boolean(text); },
  };
}

export function toolBar(page) {
  const tools = {
    look: button("look", "Look: window and level (V)", () => page.setTool("look")),
    brush: button("brush", "Brush (B)", () => page.setTool("brush")),
    erase: button("erase", "Eraser (E)", () => page.setTool("erase")),
    nudge: button("nudge", "Nudge a border (N)", () => page.setTool("nudge")),
    pull: button("pull", "Pull an outline (P)", () => page.setTool("pull")),
    points: button("points", "Move landmarks of the long axes (H)", () => page.setTool("points")),
  };
  const swatches = h("span", { class: "swatches" });
  const swatch = (one, i) => h("button", { class: `tool swatch ${one.name}`, title: `${one.title} (${i + 1})`, "aria-label": one.title, onclick: () => page.setStructure(one) }, h("i", {}), h("small", {}, one.short));
  const size = h("input", { type: "range", min: 1.5, max: 40, step: 0.5, "aria-label": "Radius of the brush, mm", oninput: () => page.setBrush(+size.value) });
  const mm = h("small", { class: "soft" });
  const mosaic = button("mosaic", "All slices, or one large (M)", () => page.setMode(page.mode === "mosaic" ? "large" : "mosaic"));
  const outlines = button("outlines", "Outlines (O)", () => page.toggleOutlines());
  const own = button("own", "The model's outlines (G)", () => page.toggleOwn());
  const element = h("nav", { class: "tools", "aria-label": "Tools" }, mosaic, outlines, own, h("hr", {}), ...Object.values(tools), h("hr", {}), swatches,
    h("label", { class: "size" }, size, mm), h("hr", {}),
    button("undo", "Undo (Z)", () => page.corrections.undo()), button("redo", "Redo (Y)", () => page.corrections.redo()));
  const bar = {
    element,
    // The structures are those of the chosen slice.
    fit() { tools.points.hidden = !page.hasPoints; swatches.replaceChildren(...page.structures.map(swatch)); this.show(); },
    show() {
      for (const [name, one] of Object.entries(tools)) one.setAttribute("aria-pressed", page.tool === name);
      [...swatches.children].forEach((one, i) => one.setAttribute("aria-pressed", page.tool === "brush" && page.structure === page.structures[i]));
      mosaic.setAttribute("aria-pressed", page.mode === "mosaic");
      outlines.setAttribute("aria-pressed", page.outlines);
      own.setAttribute("aria-pressed", page.own);
      size.value = page.brush;
      mm.textContent = `${page.brush.toFixed(1)} mm`;
    },
  };
  queueMicrotask(() => bar.show());
  return bar;
}

// What the keys C, I, X and R do to the slice and frame that are shown: without a keyboard, too.
export function editBar(page) {
  const edit = (text, title, act) => h("button", { class: "small", title, onclick: act }, text);
  const masks = [
    edit("Copy to next frame", "Copy these labels to the next frame (C)", () => page.input.copyFrame()),
    edit("Copy to next slice", "Copy these labels to the next slice (Shift + C)", () => page.input.copySlice()),
    edit("Interpolate", "Interpolate between the corrected frames before and after this one (I)", () => page.input.interpolate()),
    edit("Reject slice", "Remove all labels of this slice in this frame (X)", () => page.input.reject()),
  ];
  const all = edit("Count all", "Count the LV blood that the basal rule leaves out, too (A); reject single slices (X)", () => page.countAll());
  const element = h("div", { class: "edits", role: "toolbar", "aria-label": "This slice and frame", hidden: true }, ...masks, all,
    edit("Reset", "Back to the model's outlines, or landmarks, in this slice and frame (R)", () => page.input.takeBack()));
  return {
    element,
    show() {
      element.hidden = !page.corrects;
      for (const one of masks) one.hidden = page.tool === "points";
      for (const one of masks) one.disabled = !page.plane?.facts.has_mask;
      all.hidden = page.tool === "points" || !page.doc || !page.hasPhases;
      all.setAttribute("aria-pressed", page.numbers?.basal_rule === ALL_SLICES);
    },
  };
}

export function bottomBar(page) {
  const play = h("button", { class: "tool play", title: "Play (Space)", onclick: () => page.setPlaying(!page.playing) });
  const slider = h("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Frame", oninput: () => { page.setPlaying(false); page.goFrame(+slider.value); } });
  const text = h("output", {}), pace = h("button", { title: "Speed (, .)", onclick: () => page.setPace(page.pace <= 0.25 ? 1 : page.pace / 2) });
  const jump = (name, title) => h("button", { title, onclick: () => { page.setPlaying(false); const at = page.numbers[`${name}_frame`]; if (at !== null) page.goFrame(at); } }, name.toUpperCase());
  const set = (name) => h("button", { class: "small", title: `This frame is ${name.toUpperCase()} (Shift + ${name === "ed" ? "D" : "S"})`, onclick: () => page.chooseFrame(name) }, `Set ${name.toUpperCase()}`);
  const found = h("button", { class: "small", title: "ED and ES as found on the curve", onclick: () => page.ownFrames() }, "As found");
  const marks = { ed: jump("ed", "To end-diastole (D)"), es: jump("es", "To end-systole (S)") };
  const sets = h("span", { class: "sets" }, set("ed"), set("es"), found);
  const element = h("div", { class: "transport" }, play, slider, text, pace, marks.ed, marks.es, sets);
  let shown = null;
  return {
    element,
    fit() {
      slider.max = page.total - 1;
      for (const one of [marks.ed, marks.es, sets]) one.hidden = !page.hasPhases;
    },
    show() {
      if (!page.numbers) return;
      slider.value = page.frame;
      const time = page.doc.times_ms?.[page.frame];
      text.textContent = `${page.frame} / ${page.total - 1}${time !== undefined && time !== null ? ` · ${Math.round(time)} ms` : ""}`;
      pace.textContent = `${page.pace}×`;
      found.hidden = !page.numbers.chosen_frames.length;
      for (const [name, one] of Object.entries(marks)) {
        one.setAttribute("aria-pressed", page.numbers[`${name}_frame`] === page.frame);
        one.classList.toggle("chosen", page.numbers.chosen_frames.includes(name));
      }
      if (shown !== page.playing) {
        shown = page.playing;
        play.replaceChildren(icon(...ICONS[page.playing ? "pause" : "play"]));
        play.setAttribute("aria-label", page.playing ? "Pause" : "Play");
      }
    },
  };
}
