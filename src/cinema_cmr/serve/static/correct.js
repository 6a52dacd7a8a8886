// Corrections: brush, eraser and nudge on the labels of one slice; undo and redo; copies and interpolation.

import { api } from "./api.js";

// Labels (x fastest) as [code, length, ...].
export function toRuns(codes) {
  const runs = [];
  let code = codes[0], length = 0;
  for (const one of codes) {
    if (one === code) { length += 1; continue; }
    runs.push(code, length);
    [code, length] = [one, 1];
  }
  runs.push(code, length);
  return runs;
}

// Write `code` into a disc of `radius` mm around (u, v); `only` limits it to pixels of one code.
export function disc(codes, plane, u, v, radius, code, only = null) {
  const [dx, dy] = plane.facts.spacing_mm;
  const y0 = Math.max(0, Math.floor(v - radius / dy)), y1 = Math.min(plane.height - 1, Math.ceil(v + radius / dy));
  const x0 = Math.max(0, Math.floor(u - radius / dx)), x1 = Math.min(plane.width - 1, Math.ceil(u + radius / dx));
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const away = Math.hypot((x + 0.5 - u) * dx, (y + 0.5 - v) * dy);
      const i = y * plane.width + x;
      if (away <= radius && (only === null || codes[i] === only)) codes[i] = code;
    }
  }
}

// Signed distance to the border of a structure in pixels, negative inside, by two passes of a 3-4 chamfer.
export function distance(mask, width, height) {
  const far = 1e6;
  const pass = (inside) => {
    const d = new Float32Array(mask.length);
    for (let i = 0; i < d.length; i++) d[i] = (mask[i] === 1) === inside ? far : 0;
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (x) d[i] = Math.min(d[i], d[i - 1] + 3);
      if (y) d[i] = Math.min(d[i], d[i - width] + 3, x ? d[i - width - 1] + 4 : far, x < width - 1 ? d[i - width + 1] + 4 : far);
    }
    for (let y = height - 1; y >= 0; y--) for (let x = width - 1; x >= 0; x--) {
      const i = y * width + x;
      if (x < width - 1) d[i] = Math.min(d[i], d[i + 1] + 3);
      if (y < height - 1) d[i] = Math.min(d[i], d[i + width] + 3, x ? d[i + width - 1] + 4 : far, x < width - 1 ? d[i + width + 1] + 4 : far);
    }
    return d;
  };
  const within = pass(true), outside = pass(false);
  return within.map((value, i) => (outside[i] - value) / 3);
}

// Labels between two others, `share` of the way from the first: shapes are interpolated by signed distance.
export function between(first, second, share, { width, height, structures }) {
  const result = new Uint8Array(first.length);
  for (const { code, codes } of [...structures].sort((a, b) => a.layer - b.layer)) {
    const [a, b] = [first, second].map((labels) => labels.map((one) => (codes.includes(one) ? 1 : 0)));
    if (!a.includes(1) || !b.includes(1)) {
      const nearest = share < 0.5 ? a : b;
      nearest.forEach((one, i) => { if (one) result[i] = code; });
      continue;
    }
    const [da, db] = [a, b].map((mask) => distance(mask, width, height));
    for (let i = 0; i < result.length; i++) if ((1 - share) * da[i] + share * db[i] < 0) result[i] = code;
  }
  return result;
}

export class Corrections {
  constructor(page) {
    this.page = page;
    this.done = [];
    this.undone = [];
    this.sending = Promise.resolve();
    this.losses = 0;
    this.stale = false;
  }

  // Change slices of planes and send them: [{ plane, frame, after }].
  apply(what, changes) {
    if (!this.ready) return;
    const step = changes
      .map(({ plane, frame, after }) => ({ plane, frame, before: plane.codes(frame).slice(), after }))
      .filter(({ before, after }) => before.some((code, i) => code !== after[i]));
    if (!step.length) return;
    this.done.push({ what, step });
    this.undone = [];
    this.put(what, step, "after");
  }

  // After a stroke that changed the labels in place.
  stroke(what, plane, frame, before) {
    const after = plane.codes(frame).slice();
    if (!before.some((code, i) => code !== after[i])) return;
    const step = [{ plane, frame, before, after }];
    this.done.push({ what, step });
    this.undone = [];
    this.put(what, step, "after");
  }

  // Landmarks that were dragged or taken back: [{ view, name, frame, before, after }], null for the model's own.
  movePoints(what, points) {
    if (!this.ready || !points.length) return;
    const before = (one) => (this.page.moved.has(`${one.view} ${one.name} ${one.frame}`) ? one.before : null);
    const step = points.map((one) => ({ ...one, before: before(one) }));
    this.done.push({ what, points: step });
    this.undone = [];
    this.putPoints(what, step, "after");
  }

  putPoints(what, step, side) {
    const { doc, moved } = this.page;
    for (const one of step) {
      doc.points[one.view][one.name][one.frame] = one[side] ?? doc.own_points[one.view][one.name][one.frame];
      moved[one[side] ? "add" : "delete"](`${one.view} ${one.name} ${one.frame}`);
    }
    this.page.redraw();
    this.send({ what, points: step.map((one) => ({ view: one.view, name: one.name, frame: one.frame, place: one[side] })) });
  }

  undo() { this.move(this.done, this.undone, "before", "undo"); }
  redo() { this.move(this.undone, this.done, "after", "redo"); }

  move(from, to, side, word) {
    if (!this.ready) return;
    const last = from.pop();
    if (!last) return;
    to.push(last);
    if (last.points) {
      const [{ view, frame }] = last.points;
      this.putPoints(`${word} ${last.what}`, last.points, side);
      this.page.goTo(this.page.planeOf(view, 0), frame);
      return;
    }
    this.put(`${word} ${last.what}`, last.step, side);
    const { plane, frame } = last.step[0];
    this.page.goTo(plane, frame);
  }

  put(what, step, side) {
    for (const one of step) one.plane.setCodes(one.frame, one[side]);
    this.page.redraw();
    const slices = step.map((one) => ({ view: one.plane.view, frame: one.frame, slice: one.plane.index, runs: toRuns(one[side]) }));
    this.send({ what, slices });
  }

  // Requests go one after another, so that the last stroke is the last that is stored. After one that failed, those that
  // wait are dropped, too: they were drawn on labels that are not stored.
  send(changes) {
    const started = performance.now(), { losses } = this;
    this.sending = this.sending.then(async () => {
      if (losses !== this.losses) return;
      const numbers = await api.change(this.page.id, { ...changes, seen: this.page.revision });
      this.page.showStored(numbers);
      this.page.stats.latency.push(performance.now() - started);
      this.page.fullNumbersSoon();
    }).catch((error) => this.lost(error));
    return this.sending;
  }

  // A change that was not stored: the page shows again what is.
  async lost(error) {
    this.losses += 1;
    this.page.failed(new Error(`Not stored: ${error.message}`));
    this.stale = true;
    try { await this.recover(); } catch { /* tried again before a sign-off */ }
  }

  recover() {
    [this.done, this.undone] = [[], []];
    this.recovering ??= this.page.reload().then(() => { this.stale = false; }).finally(() => { this.recovering = null; });
    return this.recovering;
  }

  // Whether labels may be changed: not before the page shows again what is stored.
  get ready() {
    if (this.stale) this.recover().catch((error) => this.page.failed(error));
    return !this.stale;
  }

  // Wait until the server has what the page shows; throws if it has not, or if a change was lost meanwhile.
  async settled() {
    const { losses } = this;
    await this.sending;
    if (this.stale) await this.recover();
    else if (losses === this.losses) return;
    throw new Error("A change was not stored. The page shows again what is stored: look at it, then try once more.");
  }
}
