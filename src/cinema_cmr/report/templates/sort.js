(() => {
  "use strict";
  const value = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return "";
    const text = (cell.dataset.sort ?? cell.textContent).trim();
    return text !== "" && !isNaN(text.replace(",", "")) ? +text.replace(",", "") : text;
  };
  const before = (a, b) => {
    const empty = (x) => x === "" || x === "–";
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.tabIndex = 0;
      head.setAttribute("role", "button");
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [value(row, column), row]);
        rows.sort((a, b) => {
          const empty = (x) => x === "" || x === "–";
          if (empty(a[0]) || empty(b[0])) return empty(a[0]) - empty(b[0]);
          return (down ? -1 : 1) * before(a[0], b[0]);
        });
        table.tBodies[0].append(...rows.map((pair) => pair[1]));
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
      });
    });
  }
  for (const link of document.querySelectorAll("a[data-figure]")) {
    const figure = document.getElementById(link.dataset.figure);
    const picture = figure && figure.querySelector("svg");
    if (!picture) continue;
    const copy = picture.cloneNode(true);
    copy.setAttribute("xmlns", "http" + "://www.w3.org/2000/svg");
    const style = document.createElementNS(copy.namespaceURI, "style");
    style.textContent = "text{font:12px system-ui,sans-serif;fill:#15212b}";
    copy.prepend(style);
    link.href = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(new XMLSerializer().serializeToString(copy));
    link.download = link.dataset.figure + ".svg";
  }
})();
