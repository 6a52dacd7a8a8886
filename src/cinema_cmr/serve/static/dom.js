// Elements, numbers as text, and messages. Text is always set as text, never as markup.

export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

// A line icon of 24 by 24, of the paths given.
export function icon(...paths) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

const DECIMALS = { "%": 0, ml: 0, g: 0, bpm: 0, "l/min": 1, "ml/m²": 0, "g/m²": 0, mm: 1 };

export function number(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value.toFixed(DECIMALS[unit] ?? 1);
}

const SHORT = /\b(ef|lv|rv|sv|ed|es|lax|2c|3c|4c)\b/g;

export function words(code) {
  return code.replaceAll("-", " ").replaceAll("_", " ").replace(SHORT, (word) => word.toUpperCase());
}

export function toast(text, kind = "info") {
  const line = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), kind === "error" ? 8000 : 2600);
}

export function when(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
