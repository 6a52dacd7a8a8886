// Volume curves over the cycle, with ED, ES and the present frame; a click moves to a frame.

const CURVES = [["lv_volume_ml", "LV", "#ef4444"], ["rv_volume_ml", "RV", "#3b82f6"], ["myo_volume_ml", "Myo", "#22c55e"]];
const SOFT = "#9db0bc", LINE = "#22303a";

export class Plot {
  constructor(chosen) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "plot";
    this.canvas.setAttribute("aria-label", "Volume curves");
    const move = (event) => { if (event.buttons || event.type === "pointerdown") chosen(this.frameAt(event.offsetX)); };
    this.canvas.addEventListener("pointerdown", move);
    this.canvas.addEventListener("pointermove", move);
    this.numbers = null;
  }

  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, width * ratio);
    this.canvas.height = Math.max(1, height * ratio);
    Object.assign(this, { width, height, ratio, left: 34, right: 10, top: 12, bottom: 20 });
  }

  frameAt(x) {
    const share = (x - this.left) / (this.width - this.left - this.right);
    return Math.max(0, Math.min(this.frames - 1, Math.round(share * (this.frames - 1))));
  }

  draw(numbers, frame, times) {
    const context = this.canvas.getContext("2d");
    const curves = CURVES.filter(([name]) => (numbers.curves[name] ?? []).some((value) => value !== null));
    this.frames = Math.max(1, ...curves.map(([name]) => numbers.curves[name].length));
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (!curves.length || this.frames < 2) return;
    const values = curves.flatMap(([name]) => numbers.curves[name]).filter((value) => value !== null);
    const most = Math.max(...values) * 1.06;
    const x = (i) => this.left + (i / (this.frames - 1)) * (this.width - this.left - this.right);
    const y = (value) => this.top + (1 - value / most) * (this.height - this.top - this.bottom);
    this.axes(context, most, x, y, times);
    for (const [name, , colour] of curves) this.curve(context, numbers.curves[name], x, y, colour);
    this.marks(context, numbers, x, frame);
  }

  axes(context, most, x, y, times) {
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = [10, 20, 25, 50, 100, 200].find((one) => most / one <= 4.5) ?? 250;
    for (let value = 0; value <= most; value += step) {
      context.strokeStyle = LINE;
      context.lineWidth = 1;
      context.beginPath();
      context.moveTo(this.left, Math.round(y(value)) + 0.5);
      context.lineTo(this.width - this.right, Math.round(y(value)) + 0.5);
      context.stroke();
      context.fillStyle = SOFT;
      context.fillText(`${value}`, this.left - 6, y(value));
    }
    context.textBaseline = "alphabetic";
    const last = this.frames - 1;
    const text = (i) => (times?.[i] !== undefined && times[i] !== null ? `${Math.round(times[i])}` : `${i}`);
    context.textAlign = "left";
    context.fillText(times ? "ms" : "frame", 2, this.height - 5);
    for (const i of [0, Math.round(last / 2), last]) {
      context.textAlign = i === 0 ? "left" : i === last ? "right" : "center";
      context.fillText(text(i), x(i), this.height - 5);
    }
  }

  curve(context, values, x, y, colour) {
    context.strokeStyle = colour;
    context.lineWidth = 1.8;
    context.beginPath();
    let pen = false;
    values.forEach((value, i) => {
      if (value === null) { pen = false; return; }
      context[pen ? "lineTo" : "moveTo"](x(i), y(value));
      pen = true;
    });
    context.stroke();
  }

  marks(context, numbers, x, frame) {
    const line = (i, colour, dash) => {
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(x(i), this.top);
      context.lineTo(x(i), this.height - this.bottom);
      context.stroke();
      context.setLineDash([]);
    };
    for (const [name, at] of [["ED", numbers.ed_frame], ["ES", numbers.es_frame]]) {
      if (at === null) continue;
      line(at, "#9db0bc", [3, 3]);
      context.fillStyle = "#e7edf1";
      context.textAlign = at === 0 ? "left" : "center";
      context.fillText(name, x(at), this.top - 2);
    }
    line(Math.min(frame, this.frames - 1), "#57c2dd", []);
  }
}
