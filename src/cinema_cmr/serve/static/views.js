// What each series of a study shows: as it was recognised, and as the user says before the analysis.

import { api } from "./api.js";
import { h, toast } from "./dom.js";

const VIEWS = [["sax", "short axis"], ["lax_4c", "4-chamber"], ["lax_2c", "2-chamber"], ["lax_3c", "3-chamber"], ["other", "other"]];

export async function viewsSheet(job, changed) {
  const found = await api.series(job.id);
  const rows = found.map((one) => {
    const use = h("input", { type: "checkbox", checked: one.use, "aria-label": `Use ${one.series}` });
    const view = h("select", { "aria-label": `View of ${one.series}`, onchange: () => { use.checked = Boolean(view.value); } },
      h("option", { value: "" }, "–"), ...VIEWS.map(([value, title]) => h("option", { value, selected: value === one.view }, title)));
    const line = h("tr", {}, h("td", {}, use), h("td", {}, one.series, one.description && h("small", { class: "soft" }, one.description)),
      h("td", {}, view), h("td", {}, h("small", { class: "soft" }, one.reason)));
    return { line, value: () => ({ series: one.series, view: view.value || null, use: use.checked }) };
  });
  const close = () => sheet.remove();
  const analyse = h("button", { class: "primary", onclick: async () => {
    analyse.disabled = true;
    try { await api.chooseViews(job.id, rows.map((row) => row.value())); close(); } catch (error) { toast(error.message, "error"); analyse.disabled = false; }
    changed();
  } }, "Analyse");
  const sheet = h("div", { class: "overlay", role: "dialog", "aria-modal": "true", "aria-label": "Views", onclick: close,
    onkeydown: (event) => { if (event.key === "Escape") close(); } },
    h("div", { class: "sheet agreement views", onclick: (event) => event.stopPropagation() },
      h("header", {}, h("h2", {}, `What the series of ${job.name} show`), h("button", { onclick: close }, "Close")),
      h("table", {}, h("thead", {}, h("tr", {}, ...["Use", "Series", "View", "Why"].map((head) => h("th", {}, head)))), h("tbody", {}, ...rows.map((row) => row.line))),
      h("footer", {}, analyse)));
  document.body.append(sheet);
  analyse.focus();
}
