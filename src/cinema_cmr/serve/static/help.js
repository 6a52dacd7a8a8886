// The overlay of keys.

import { h } from "./dom.js";

// Keys of one line stand apart by a comma, those pressed together by a plus.
const keysOf = (structures) => [
  ["Navigate", [
    [["Space"], "play or pause"], [["←", "→"], "previous, next frame"], [["↑", "↓"], "previous, next slice"],
    [["D", "S"], "end-diastole, end-systole"], [["M", "Enter"], "all slices, or one large"], [[",", "."], "slower, faster"], [["Esc"], "back to all slices, then to the list"],
  ]],
  ["View", [
    [["Drag"], "brightness and contrast"], [["W"], "reset brightness and contrast"], [["Wheel"], "previous, next slice"], [["Ctrl+Wheel"], "zoom"],
    [["+", "−", "0"], "zoom in, out, reset"], [["Shift+Drag"], "move the image"], [["F"], "heart or whole image"],
    [["O"], "outlines on or off"], [["G"], "the model's outlines for comparison"],
  ]],
  ["Correct", [
    [["V", "B", "E", "N"], "look, brush, eraser, nudge"], [["P"], "pull an outline"], [["H"], "drag landmarks (hinge points, apex)"],
    [structures.map((_, i) => `${i + 1}`), structures.map((one) => one.title.replace(/^[A-Z](?=[a-z])/, (first) => first.toLowerCase())).join(", ")], [["[", "]"], "smaller, larger brush"],
    [["Z", "Y"], "undo, redo"], [["C"], "copy to the next frame"], [["Shift+C"], "copy to the next slice"],
    [["I"], "interpolate between corrected frames"], [["X"], "reject this slice: remove its labels"], [["A"], "count all slices, or by the basal rule"],
    [["R"], "back to the model in this slice"], [["Shift+D", "Shift+S"], "set this frame as ED, as ES"],
  ]],
];

const combination = (keys) => h("span", {}, ...(keys === "+" ? [keys] : keys.split("+")).map((key) => h("kbd", {}, key)));

export function helpOverlay(structures, close) {
  const groups = keysOf(structures).map(([title, keys]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, ...keys.flatMap(([each, text]) => [h("dt", {}, ...each.map(combination)), h("dd", {}, text)]))));
  return h("div", { class: "overlay", role: "dialog", "aria-modal": "true", "aria-label": "Keys", onclick: close },
    h("div", { class: "sheet", onclick: (event) => event.stopPropagation() },
      h("header", {}, h("h2", {}, "Keys"), h("button", { onclick: close }, "Close")), h("div", { class: "groups" }, ...groups),
      h("p", { class: "soft" }, "Nudge: start inside a structure and push its border outwards, or start outside and push it in. Pull: drag near an outline, and it follows the pointer, less so with distance. Touch: one finger works as the mouse, two fingers zoom and move the image.")));
}
