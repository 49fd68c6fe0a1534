"use strict";
/* The table of all measurements: sorted, filtered and shown a page at a time; drawn are only the rows of the page. Data come as
   columns; texts are numbers into a list of their own. */
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const columns = data.columns, count = data.count, PAGE = 100;
  const value = (c, r) => { const v = columns[c].values[r]; return columns[c].texts && v !== null ? columns[c].texts[v] : v; };
  const shown = (c, v) => v === null ? "–" : typeof v === "number" && !Number.isInteger(v) ? v.toPrecision(4) : String(v);
  let order = Array.from({ length: count }, (_, r) => r), page = 0, sorted = -1, up = true;
  const body = document.querySelector("#rows tbody"), heads = document.querySelectorAll("#rows thead th");
  const say = document.getElementById("shown"), filter = document.getElementById("filter");

  function draw() {
    const pages = Math.max(1, Math.ceil(order.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const part = order.slice(page * PAGE, (page + 1) * PAGE), fragment = document.createDocumentFragment();
    for (const r of part) {
      const row = document.createElement("tr");
      columns.forEach((column, c) => {
        const cell = document.createElement("td");
        cell.textContent = shown(c, value(c, r));
        if (!column.texts) cell.className = "n";
        row.append(cell);
      });
      fragment.append(row);
    }
    body.replaceChildren(fragment);
    say.textContent = `${order.length} of ${count} measurements, page ${page + 1} of ${pages}`;
    heads.forEach((h, c) => h.setAttribute("aria-sort", c !== sorted ? "none" : up ? "ascending" : "descending"));
  }
  function sort() {
    if (sorted < 0) return;
    const c = sorted, sign = up ? 1 : -1;
    order.sort((a, b) => {
      const x = value(c, a), y = value(c, b);
      if (x === null || y === null) return (x === null) - (y === null) || a - b; /* what was not measured last */
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a - b;
    });
  }
  function select() {
    /* A number is meant as one (96 is n = 96, not a piece of a date), or stands in a pattern. */
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (w, column, v) => v !== null && (/^[\d.]+$/.test(w) ? column.texts ? column.name === "spec" && v.includes(w) : v === +w
      : String(v).toLowerCase().includes(w));
    order = [];
    for (let r = 0; r < count; r++)
      if (words.every(w => columns.some((column, c) => fits(w, column, value(c, r))))) order.push(r);
    page = 0;
    sort();
    draw();
  }
  function csv() {
    const quote = v => v === null ? "" : /[",\n]/.test(v) ? `"${String(v).replaceAll('"', '""')}"` : String(v);
    const lines = [columns.map(c => c.name).join(",")];
    for (const r of order) lines.push(columns.map((_, c) => quote(value(c, r))).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = "attnlab.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }
  heads.forEach((h, c) => h.firstElementChild.addEventListener("click", () => {
    up = sorted === c ? !up : true;
    sorted = c;
    sort();
    draw();
  }));
  filter.addEventListener("input", select);
  document.getElementById("csv").addEventListener("click", csv);
  document.getElementById("before").addEventListener("click", () => { page--; draw(); });
  document.getElementById("after").addEventListener("click", () => { page++; draw(); });
  draw();
})();
