// The list of studies: search, sort, state; new studies by drop or by choice; the queue.

import { api } from "./api.js";
import { h, icon, number, toast, when, words } from "./dom.js";
import { droppedFiles, Uploads } from "./upload.js";
import { viewsSheet } from "./views.js";

const COLUMNS = [
  ["name", "Study", ""],
  ["lv_ef_percent", "LVEF", "%"],
  ["lv_edv_ml", "LV EDV", "ml"],
  ["lv_esv_ml", "LV ESV", "ml"],
  ["lv_mass_g", "LV mass", "g"],
  ["rv_ef_percent", "RVEF", "%"],
  ["flags", "Flags", ""],
  ["state", "State", ""],
];
const STATES = ["new", "looked at", "corrected", "signed off", "unreadable"];
const RUNNING = ["receiving", "queued", "running"];

const leftOut = ({ left_out: n }) => (n ? `; ${n} left out: masks changed elsewhere, open ${n === 1 ? "that study" : "those studies"} first` : "");

export class ListPage {
  constructor() {
    this.rows = [];
    this.jobs = [];
    this.sort = ["name", 1];
    this.chosen = [];
    this.search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search studies", oninput: () => this.draw() });
    this.state = h("select", { "aria-label": "State", onchange: () => this.draw() },
      h("option", { value: "" }, "All states"), ...STATES.map((state) => h("option", { value: state }, state)));
    this.queue = h("section", { class: "queue", "aria-label": "Studies in work" });
    this.table = h("div", { class: "studies" });
    this.count = h("span", { class: "soft" });
    this.file = h("input", { type: "file", hidden: true, multiple: true, onchange: () => this.send([...this.file.files]) });
    this.folder = h("input", { type: "file", hidden: true, webkitdirectory: true, onchange: () => this.send([...this.folder.files]) });
    this.uploads = new Uploads(() => this.poll());
    this.element = h("div", { class: "list" },
      h("header", { class: "bar" },
        h("h1", {}, h("img", { src: "/static/icon.svg", alt: "", width: 24, height: 24 }), "CineMA"), this.count,
        h("span", { class: "grow" }), this.search, this.state,
        h("button", { onclick: () => this.file.click() }, "Add files"),
        h("button", { onclick: () => this.folder.click() }, "Add folder"),
        h("label", { class: "soft ask", title: "Say what each series of a new study shows before it is analysed" }, this.ask = h("input", { type: "checkbox" }), "choose views"),
        h("a", { class: "button", href: "/api/studies.csv", download: "studies.csv" }, "CSV"),
        h("button", { onclick: () => this.exportCases(), title: "Corrected studies as labelled cases, for cinema finetune" }, "Labelled cases"),
        this.compareButton = h("button", { disabled: true, title: "Choose two studies by their boxes", onclick: () => this.compare() }, "Compare"),
        h("button", { onclick: () => this.showAgreement(), title: "Model and reader over all corrected studies" }, "Agreement"),
        this.file, this.folder),
      this.queue, this.table,
      h("p", { class: "notice" }, "For research use only. Not a medical device: not for diagnosis and not for decisions on treatment."),
      h("div", { class: "drop", "aria-hidden": "true" }, "Drop a study: a folder, a zip, DICOM or NIfTI files"));
    this.events = new AbortController();
  }

  async open() {
    document.title = "CineMA – studies";
    const options = { signal: this.events.signal };
    const over = (on) => (event) => { event.preventDefault(); this.element.classList.toggle("over", on); };
    addEventListener("dragover", over(true), options);
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false)(event); }, options);
    addEventListener("drop", (event) => {
      over(false)(event);
      droppedFiles(event.dataTransfer).then((files) => this.send(files), (error) => toast(error.message, "error"));
    }, options);
    addEventListener("keydown", (event) => {
      if (event.key === "/" && document.activeElement !== this.search) { event.preventDefault(); this.search.focus(); }
    }, options);
    await this.refresh();
    await this.poll();
  }

  close() {
    this.events.abort();
    clearTimeout(this.timer);
    this.closed = true;
  }

  async refresh() {
    this.rows = await api.studies();
    this.draw();
  }

  async poll() {
    if (this.closed) return;
    clearTimeout(this.timer);
    const finished = (jobs) => jobs.filter((job) => job.status === "done").length;
    const before = finished(this.jobs);
    this.jobs = await api.jobs();
    this.drawJobs();
    if (finished(this.jobs) !== before) await this.refresh();
    const busy = this.jobs.some((job) => RUNNING.includes(job.status)) || this.uploads.busy;
    if (!this.closed) this.timer = setTimeout(() => this.poll().catch(() => {}), busy ? 700 : 4000);
  }

  async send(files) {
    try { await this.uploads.send(files, this.ask.checked); } catch (error) { toast(error.message, "error"); }
    this.file.value = this.folder.value = "";
    await this.poll();
  }

  async exportCases() {
    try {
      const done = await api.exportCases();
      toast(`${done.cases} ${done.cases === 1 ? "case" : "cases"} with ${done.frames} labelled ${done.frames === 1 ? "frame" : "frames"}: exports/${done.folder}${leftOut(done)}`);
    } catch (error) { toast(error.message, "error"); }
  }

  // Two studies are compared, the first chosen as A; a third takes the place of the second.
  choose(id, on) {
    const others = this.chosen.filter((one) => one !== id);
    this.chosen = on ? [...others.slice(0, 1), id] : others;
    this.draw();
  }

  async compare() {
    const tab = window.open("", "_blank");
    this.compareButton.disabled = true;
    this.compareButton.textContent = "Comparing";
    try { tab.location = `/api/comparisons/${(await api.compare(...this.chosen)).id}`; }
    catch (error) { tab?.close(); toast(error.message, "error"); }
    this.compareButton.textContent = "Compare";
    await this.refresh();
  }

  async showAgreement() {
    const found = await api.agreement();
    const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;
    const rows = found.values.map((one) => h("tr", {}, h("td", {}, `${one.title}, ${one.unit}`), h("td", { class: "right" }, `${one.n}`),
      h("td", { class: "right" }, signed(one.bias)), h("td", { class: "right" }, `${signed(one.lower)} to ${signed(one.upper)}`)));
    const dice = Object.entries(found.dice).map(([name, value]) => `${words(name)} ${value.toFixed(3)}`).join(" · ");
    const close = () => sheet.remove();
    const sheet = h("div", { class: "overlay", role: "dialog", "aria-modal": "true", "aria-label": "Agreement", onclick: close,
      onkeydown: (event) => { if (event.key === "Escape") close(); } },
      h("div", { class: "sheet agreement", onclick: (event) => event.stopPropagation() },
        h("header", {}, h("h2", {}, "Agreement, model minus reader"), h("button", { onclick: close }, "Close")),
        h("p", { class: "soft" }, `${found.studies} ${found.studies === 1 ? "study" : "studies"} corrected or signed off, ${found.corrected} corrected${leftOut(found)}`),
        rows.length ? h("table", {}, h("thead", {}, h("tr", {}, h("th", {}), h("th", { class: "right" }, "Studies"), h("th", { class: "right" }, "Bias"), h("th", { class: "right" }, "95 % limits of agreement"))), h("tbody", {}, ...rows))
          : h("p", {}, "Bias and limits of agreement need at least two studies."),
        dice && h("p", {}, "Dice of the corrected slices: ", dice)));
    document.body.append(sheet);
    sheet.querySelector("button").focus();
  }

  drawJobs() {
    const open = this.jobs.filter((job) => job.status !== "done");
    this.queue.replaceChildren(...open.map((job) => this.jobLine(job)));
  }

  jobLine(job) {
    const running = job.status === "running";
    const choosing = job.status === "choosing";
    const text = job.error ?? (choosing ? "waiting for its views" : running && job.stage ? `${job.stage}${job.total > 1 ? ` ${job.done}/${job.total}` : ""}` : job.status);
    return h("div", { class: `job ${job.status}` },
      h("b", {}, job.name), h("span", { class: "soft" }, text),
      h("progress", { max: Math.max(job.total, 1), value: running ? job.done : 0, "aria-label": "Progress" }),
      choosing && h("button", { class: "primary", onclick: () => viewsSheet(job, () => this.poll()).catch((error) => toast(error.message, "error")) }, "Choose views"),
      h("button", { onclick: () => api.cancel(job.id).then(() => this.poll()) }, job.status === "failed" ? "Remove" : "Cancel"));
  }

  shown() {
    const text = this.search.value.trim().toLowerCase();
    const [key, sign] = this.sort;
    const value = (row) => {
      if (key === "state") return STATES.indexOf(row.state);
      if (key === "flags") return -row.flags.filter((flag) => flag.severity !== "info").length;
      return key === "name" ? row.name.toLowerCase() : row.values[key] ?? Infinity;
    };
    return this.rows
      .filter((row) => !this.state.value || row.state === this.state.value)
      .filter((row) => !text || `${row.name} ${row.state} ${row.error ?? ""} ${row.flags.map((flag) => words(flag.code)).join(" ")}`.toLowerCase().includes(text))
      .sort((a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : 0));
  }

  draw() {
    const rows = this.shown();
    this.chosen = this.chosen.filter((id) => this.rows.some((row) => row.id === id));
    this.compareButton.disabled = this.chosen.length !== 2;
    this.count.textContent = `${rows.length} ${rows.length === 1 ? "study" : "studies"}`;
    const heads = COLUMNS.map(([key, title, unit]) => h("th", { class: unit ? "right" : "", "aria-sort": this.sort[0] === key ? (this.sort[1] > 0 ? "ascending" : "descending") : "none" },
      h("button", { class: "plain", onclick: () => { this.sort = [key, this.sort[0] === key ? -this.sort[1] : 1]; this.draw(); } },
        title, unit && h("small", {}, ` ${unit}`), this.sort[0] === key ? (this.sort[1] > 0 ? " ↑" : " ↓") : "")));
    const body = rows.map((row) => this.line(row));
    this.table.replaceChildren(rows.length || this.rows.length
      ? h("table", {}, h("thead", {}, h("tr", {}, h("th", {}), ...heads)), h("tbody", {}, ...body))
      : h("div", { class: "empty" }, icon("M12 16V4M7 9l5-5 5 5M4 20h16"), h("h2", {}, "No studies yet"),
          h("p", {}, "Drop a folder or a zip of one examination here. Nothing leaves this computer.")));
  }

  box(row) {
    const at = this.chosen.indexOf(row.id);
    const box = h("input", { type: "checkbox", checked: at >= 0, "aria-label": `Compare ${row.name}`, onchange: () => this.choose(row.id, box.checked) });
    return h("label", { class: "choice", title: "Choose to compare", onclick: (event) => event.stopPropagation() }, box, at >= 0 && h("b", {}, "AB"[at]));
  }

  // Results or a review that cannot be read: what is wrong, and what to do, in place of the numbers.
  brokenLine(row) {
    return h("tr", { class: "broken" },
      h("td", { class: "thumb" }, h("span", { class: "no-picture" })),
      h("td", { class: "name" }, h("b", {}, row.name)),
      h("td", { colSpan: COLUMNS.length - 2 }, row.error),
      h("td", {}, h("span", { class: "pill error" }, row.state)));
  }

  line(row) {
    if (row.error) return this.brokenLine(row);
    const link = `#/study/${row.id}`;
    const picture = row.has_images
      ? h("img", { src: `/api/studies/${row.id}/thumbnail`, alt: "", width: 64, height: 64, loading: "lazy" })
      : h("span", { class: "no-picture" });
    const cells = COLUMNS.slice(1, 6).map(([key, title, unit]) => h("td", { class: "right number", "data-name": `${title}, ${unit}` }, number(row.values[key], unit)));
    const flags = row.flags.filter((flag) => flag.severity !== "info");
    return h("tr", { onclick: () => { location.hash = link; } },
      h("td", { class: "thumb" }, picture, this.box(row)),
      h("td", { class: "name" }, h("a", { href: link }, row.name), h("small", { class: "soft" }, row.modality === "lge" ? "late enhancement" : "cine", row.changed ? ` · ${when(row.changed)}` : "")),
      ...cells,
      h("td", { class: "flags" }, ...flags.slice(0, 3).map((flag) => h("span", { class: `pill ${flag.severity}`, title: flag.message }, words(flag.code))),
        flags.length > 3 && h("span", { class: "soft" }, ` +${flags.length - 3}`)),
      h("td", {}, h("span", { class: `pill state ${row.state.replace(" ", "-")}` }, row.state)));
  }
}
