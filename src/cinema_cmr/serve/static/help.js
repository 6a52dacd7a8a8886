// The overlay of keys.

import { h } from "./dom.js";

const keysOf = (structures) => [
  ["Move", [
    ["Space", "play or pause"], ["← →", "one frame back or on"], ["↑ ↓", "slice towards base or apex"],
    ["D, S", "to end-diastole, to end-systole"], ["M or Enter", "all slices, or one large"], [", .", "slower, faster"],
  ]],
  ["Look", [
    ["Drag", "brightness and contrast"], ["W", "window as at first"], ["Wheel", "slices; with Ctrl zoom"],
    ["+ − 0", "zoom in, out, back"], ["Shift + drag", "move the picture"], ["F", "heart or whole image"],
    ["O", "outlines on or off"], ["G", "the model's outlines for comparison"],
  ]],
  ["Correct", [
    ["V B E N", "look, brush, eraser, nudge"], ["P H", "pull an outline; drag landmarks (hinge points)"], [structures.map((_, i) => i + 1).join(" "), structures.map((one) => one.title).join(", ")], ["[ ]", "smaller, larger brush"],
    ["Z, Y", "undo, redo"], ["C, Shift + C", "copy to the next frame, to the next slice"],
    ["I", "interpolate between the corrected frames around this one"], ["X", "reject this slice: remove its labels"], ["R", "back to the model's outlines in this slice"],
    ["Shift + D, Shift + S", "this frame is ED, is ES"],
  ]],
];

export function helpOverlay(structures, close) {
  const groups = keysOf(structures).map(([title, keys]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, ...keys.flatMap(([key, text]) => [h("dt", {}, ...key.split(" ").map((part) => (/^(or|\+|and)$/.test(part) ? ` ${part} ` : h("kbd", {}, part)))), h("dd", {}, text)]))));
  return h("div", { class: "overlay", role: "dialog", "aria-modal": "true", "aria-label": "Keys", onclick: close },
    h("div", { class: "sheet", onclick: (event) => event.stopPropagation() },
      h("header", {}, h("h2", {}, "Keys"), h("button", { onclick: close }, "Close")), h("div", { class: "groups" }, ...groups),
      h("p", { class: "soft" }, "Nudge: start inside a structure and push its border outwards, or start outside and push it in. Pull: drag near an outline, and it follows the pointer, less and less with distance. Touch: one finger as the mouse, two fingers to zoom and move.")));
}
