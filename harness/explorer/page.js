// The page: controls, pointer and keys, and when what is drawn.
"use strict";

(async () => {
  const find = id => document.getElementById(id);
  const packed = atob(find("wasm").textContent.trim()), bytes = Uint8Array.from(packed, c => c.charCodeAt(0));
  const compiled = await WebAssembly.compile(bytes), lab = await startModule(compiled), registry = lab.registry(), numbers = makeNumbers(compiled), reaches = SIDES.map(() => makeNumbers(compiled));
  let state = readState(location.hash);
  const sides = SIDES.map((name, k) => ({ name, k, root: find("side-" + name), canvas: find("side-" + name).querySelector("canvas"), set: null, shown: "", degrees: null, results: {}, places: [], reach: null }));
  const active = () => state.two ? sides : sides.slice(0, 1);
  const part = (side, selector) => side.root.querySelector(selector);

  /* ---- frames ---- */

  let queued = false;
  function later() { if (!queued) { queued = true; requestAnimationFrame(frame); } }

  function frame() {
    queued = false;
    const begin = performance.now(), work = { steps: 0, cells: 0, exact: true };
    for (const side of active().filter(s => s.set)) {
      const heads = side.set.heads, own = { ...state, head: state.head % heads };
      const did = state.grid ? drawGrid(lab, side.k, side.canvas, own, heads) : drawMask(lab, side.k, side.canvas, own, side.degrees, hopsOf(side, own));
      side.places = did.places || [];
      work.steps += did.steps;
      work.cells += did.cells;
      work.exact = work.exact && did.exact;
    }
    const took = performance.now() - begin, reach = state.hops > 1 && !state.grid ? active().map(s => s.set?.hops_apart && s.reach) : [];
    window.lastFrame = { ...work, ms: took };
    find("cost").textContent = `Last picture: ${took.toFixed(1)} ms of script, ${Math.round(work.steps).toLocaleString("en")} steps for ${work.cells.toLocaleString("en")} cells${work.exact ? "" : ", sampled"}.`;
    find("hops-state").textContent = reach.some(r => r && !r.found) ? `What ${state.hops} hops reach is being found …` : reach.map((r, k) => !r || !r.found ? ""
      : `${state.two ? sides[k].name.toUpperCase() + ": h" : "H"}ops ${r.found.exact ? "are exact" : `are from ${Math.min(4, state.cell)} of each ${state.cell} rows`}${r.found.unknown ? `; in ${r.found.unknown} of ${r.down} lines they take too many steps and are left out` : ""}.`).join(" ");
    find("scale").textContent = state.grid ? "" : state.cell > state.px ? `${+(state.cell / state.px).toPrecision(3)} pairs a pixel` : `${+state.px.toPrecision(3)} pixels a pair`;
    const fit = fitView(state.n, plot());
    writeState(fit.cell === state.cell && fit.px === state.px ? { ...state, cell: 0, px: 1, row: 0, key: 0 } : state); // the whole, however large the window is there
  }

  // What hops reach: up to some n the module has it at hand; beyond, a worker looks at the rows on show, and the picture follows.
  function hopsOf(side, own) {
    if (own.hops < 2 || side.set.hops_error) return null;
    if (!side.set.hops_apart) return true;
    const view = { spec: side.set.text, n: own.n, heads: own.heads, hops: own.hops, row: own.row, key: own.key, cell: own.cell, ...extentOf(frameOf(side.canvas, own), own) };
    const wanted = JSON.stringify(view);
    if (side.reach?.wanted !== wanted) {
      const asked = side.reach = { wanted, down: view.down, found: null };
      reaches[side.k].forget();
      reaches[side.k].ask(view).then(answer => { if (side.reach === asked) { asked.found = answer.reach || { shares: null, exact: false, unknown: view.down }; later(); } });
    }
    return side.reach.found?.shares ?? null;
  }

  function resize() {
    for (const side of sides) {
      const room = (side.root.clientWidth || 320) - MARGIN.left - MARGIN.right;
      const width = MARGIN.left + MARGIN.right + Math.max(128, Math.min(512, Math.floor(room / 64) * 64)); // 512 holds powers of two without a rest
      if (side.canvas.width !== width) { side.canvas.width = width; side.canvas.height = width - MARGIN.left - MARGIN.right + MARGIN.top + MARGIN.bottom; side.canvas.style.maxWidth = width + "px"; }
    }
    if (state.cell) bound(); else whole();
    later();
  }

  /* ---- the view ---- */

  const plot = () => frameOf(sides[0].canvas, state).size;
  function whole() { Object.assign(state, fitView(state.n, plot()), { row: 0, key: 0 }); later(); }
  function bound() {
    const shown = plot() * state.cell / state.px, last = Math.max(0, Math.floor(state.n - shown));
    state.row = Math.min(Math.max(0, Math.round(state.row)), last);
    state.key = Math.min(Math.max(0, Math.round(state.key)), last);
  }
  // The pair under pixel (x, y) of the plot stays there.
  function zoom(finer, x = plot() / 2, y = plot() / 2) {
    const before = state.cell / state.px;
    Object.assign(state, viewOf(finer ? before / 2 : before * 2, state.n, plot()));
    const after = state.cell / state.px;
    state.key += x * (before - after);
    state.row += y * (before - after);
    bound();
    later();
  }
  function single() {
    const i = state.i < 0 ? Math.floor(state.n / 2) : state.i, j = state.j < 0 ? Math.floor(state.n / 4) : state.j, half = plot() / 16 / 2;
    Object.assign(state, { cell: 1, px: Math.max(16, fitView(state.n, plot()).px), row: i - half, key: j - half, grid: 0 });
    find("grid").checked = false;
    bound();
    later();
  }

  function mark(i, j) {
    state.i = Math.min(Math.max(0, i), state.n - 1);
    state.j = Math.min(Math.max(0, j), state.n - 1);
    explain();
    later();
  }
  function explain() {
    for (const side of active()) {
      const found = side.set && state.i >= 0 ? lab.why(side.k, state.head % side.set.heads, state.i, state.j) : null;
      part(side, ".why").textContent = found ? found.why + (found.reached && !found.allowed ? `; ${state.hops} hops reach it` : "") : "\u00a0";
    }
  }

  /* ---- patterns ---- */

  // Every change of what is counted: numbers follow when nothing has changed for a moment.
  let timer = 0;
  function recount() {
    numbers.forget();
    for (const side of sides) Object.assign(side, { results: {}, degrees: null });
    fillNumbers(sides.map(s => s.results));
    clearTimeout(timer);
    timer = setTimeout(count, 120);
  }
  async function count() {
    const at = { n: state.n, heads: state.heads, dim: state.dim, kernel: state.kernel };
    const put = (side, key) => answer => { side.results[key] = Array.isArray(answer.result) ? answer.result[0] : answer.result; fillNumbers(sides.map(s => s.results)); };
    for (const side of active().filter(s => s.set)) {
      numbers.ask({ ...at, degrees: true, spec: side.set.text, head: state.head % side.set.heads }).then(answer => { side.degrees = answer.degrees; later(); });
      numbers.ask({ ...at, spec: side.set.causal ? "dense" : "dense:causal=0", sections: SECTIONS.time }).then(put(side, "dense"));
      numbers.ask({ ...at, spec: side.set.text, sections: REQUESTS.count }).then(put(side, "count"));
    }
    for (const side of active().filter(s => s.set)) numbers.ask({ ...at, spec: side.set.text, sections: REQUESTS.reach }).then(put(side, "reach"));
  }

  function apply(side, text, typed = false) {
    const found = lab.set(side.k, text, state.n, state.heads, state.hops);
    part(side, ".error").textContent = found.error || found.hops_error || "";
    if (found.error) return false;
    side.set = found;
    state[side.name] = found.text;
    if (!typed) part(side, ".text").value = found.text;
    part(side, ".pick").value = registry.patterns.some(p => p.name === found.pattern) ? found.pattern : "";
    controls(side);
    recount();
    explain();
    later();
    return true;
  }
  function applyAll() {
    for (const side of active()) apply(side, state[side.name]);
    const most = Math.max(1, ...active().map(s => s.set ? s.set.heads : 1));
    find("head").max = most - 1;
    state.head = Math.min(state.head, most - 1);
    find("head").value = state.head;
  }

  // Sliders from the registry's own table; powers of two where the range is wide.
  function controls(side) {
    const pattern = registry.patterns.find(p => p.name === side.set.pattern), values = side.set.values, box = part(side, ".params");
    const names = pattern ? [...pattern.params, { key: "causal", min: 0, max: 1, choices: "0|1", help: "whether queries see earlier keys only" }].filter(p => p.key in values) : [];
    const now = JSON.stringify([side.set.pattern, state.n, names.map(p => p.key)]);
    if (side.shown !== now) {
      side.shown = now;
      box.replaceChildren(...names.flatMap(p => control(side, p)));
    }
    for (const input of box.querySelectorAll("[data-key]")) {
      const value = values[input.dataset.key];
      if (input.type === "range") input.value = Math.log2(Math.max(+value, .5));
      else if (input !== document.activeElement) input.value = value;
    }
  }
  function control(side, p) {
    const make = (tag, options) => Object.assign(document.createElement(tag), options), id = `${side.name}-${p.key}`;
    const label = make("label", { textContent: p.key, htmlFor: id, title: p.help }), change = value => apply(side, respell(side, p.key, value));
    if (p.choices) {
      const select = make("select", { id, title: p.help, className: "wide-cell" });
      select.dataset.key = p.key;
      select.append(...p.choices.split("|").map(word => make("option", { textContent: word })));
      select.onchange = () => change(select.value);
      return [label, select];
    }
    const most = Math.min(p.max, Math.max(state.n, p.min + 1)), clamp = v => Math.min(Math.max(v, p.min), p.max);
    const slider = make("input", { type: "range", min: p.min > 0 ? Math.log2(p.min) : -1, max: Math.log2(most), step: "any", title: p.help });
    slider.setAttribute("aria-label", `${p.key}: ${p.help}`);
    const number = make("input", { type: "number", id, min: p.min, max: p.max, step: 1, title: p.help });
    slider.dataset.key = number.dataset.key = p.key;
    slider.oninput = () => change(clamp(slider.value <= -.99 ? 0 : Math.round(2 ** slider.value)));
    number.oninput = () => number.value !== "" && change(number.value);
    return [label, slider, number];
  }
  // The spec with every parameter written out and one changed.
  function respell(side, key, value) {
    const words = Object.entries({ ...side.set.values, [key]: value }).filter(([k, v]) => k !== "causal" || `${v}` === "0").map(([k, v]) => `${k}=${v}`);
    return side.set.pattern + (words.length ? ":" + words.join(",") : "");
  }

  /* ---- controls ---- */

  function showControls() {
    for (const key of ["n", "heads", "head", "dim"]) find(key).value = state[key];
    find("n-slider").value = Math.log2(state.n);
    find("hops").value = state.hops;
    find("grid").checked = !!state.grid;
    find("two").checked = !!state.two;
    find("kernel").value = state.kernel;
    document.body.classList.toggle("two", !!state.two);
  }
  function setN(n) {
    if (!(n >= 1 && n <= MOST_N)) return;
    Object.assign(state, { n, i: -1, j: -1 });
    find("n").value = n;
    find("n-slider").value = Math.log2(n);
    whole();
    applyAll();
  }
  find("n").oninput = () => setN(Math.round(+find("n").value));
  find("n-slider").oninput = () => setN(2 ** find("n-slider").value);
  find("heads").oninput = () => { const h = Math.round(+find("heads").value); if (h >= 1 && h <= 65536) { state.heads = h; applyAll(); } };
  find("head").oninput = () => { const h = Math.round(+find("head").value); if (h >= 0 && h < state.heads) { state.head = h; recount(); explain(); later(); } };
  find("hops").onchange = () => { state.hops = +find("hops").value; applyAll(); };
  find("grid").onchange = () => { state.grid = +find("grid").checked; later(); };
  find("two").onchange = () => { state.two = +find("two").checked; showControls(); resize(); applyAll(); };
  find("dim").oninput = () => { const d = Math.round(+find("dim").value); if (d >= 16 && d <= 256) { state.dim = d; recount(); } };
  find("kernel").append(...registry.kernels.map(name => Object.assign(document.createElement("option"), { textContent: name })));
  find("kernel").onchange = () => { state.kernel = find("kernel").value; recount(); };
  find("common").onsubmit = event => event.preventDefault();
  find("fit").onclick = whole;
  find("single").onclick = single;
  find("in").onclick = () => zoom(true);
  find("out").onclick = () => zoom(false);

  for (const side of sides) {
    const pick = part(side, ".pick"), canvas = side.canvas, fingers = new Map();
    pick.append(new Option("(as written)", ""), ...registry.patterns.filter(p => p.name !== "mask").map(p => new Option(p.name, p.name)));
    pick.onchange = () => pick.value && apply(side, pick.value === "expr" ? 'expr:"i-j < 16 || j % 16 >= 12"' : pick.value);
    part(side, ".text").oninput = event => apply(side, event.target.value, true);
    const where = event => {
      const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
      return { x: (event.clientX - box.left) * scale - MARGIN.left, y: (event.clientY - box.top) * scale - MARGIN.top };
    };
    const pairAt = p => { const per = state.cell / state.px; return [state.row + Math.floor(p.y * per), state.key + Math.floor(p.x * per)]; };
    canvas.onpointerdown = event => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, where(event));
      if (state.grid) {
        const p = where(event), at = side.places.find(t => p.x + MARGIN.left >= t.x && p.x + MARGIN.left < t.x + t.size && p.y + MARGIN.top >= t.y && p.y + MARGIN.top < t.y + t.size);
        if (at) { Object.assign(state, { head: at.head, grid: 0 }); fingers.clear(); showControls(); recount(); later(); }
      }
    };
    canvas.onpointermove = event => {
      const p = where(event), old = fingers.get(event.pointerId);
      if (state.grid) return;
      if (!old) { if (p.x >= 0 && p.y >= 0 && p.x < plot() && p.y < plot()) { const [i, j] = pairAt(p); if (i < state.n && j < state.n) mark(i, j); } return; }
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1], far = q => Math.hypot(q.x - other.x, q.y - other.y);
        side.pinch = (side.pinch || 1) * far(p) / Math.max(1, far(old));
        if (side.pinch > 1.5 || side.pinch < 1 / 1.5) { zoom(side.pinch > 1, other.x, other.y); side.pinch = 1; }
        fingers.set(event.pointerId, p);
        return;
      }
      const per = state.cell / state.px, right = Math.round((old.x - p.x) * per), down = Math.round((old.y - p.y) * per);
      if (!right && !down) return; // less than a pair: wait until it is one
      state.key += right;
      state.row += down;
      bound();
      fingers.set(event.pointerId, { x: old.x - right / per, y: old.y - down / per }); // what is less than a pair is kept
      later();
    };
    canvas.onpointerup = canvas.onpointercancel = event => { fingers.delete(event.pointerId); side.pinch = 1; };
    canvas.addEventListener("wheel", event => { event.preventDefault(); if (!state.grid) { const p = where(event); zoom(event.deltaY < 0, p.x, p.y); } }, { passive: false });
    canvas.onkeydown = event => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key], step = state.cell;
      if (by && event.shiftKey) { const jump = Math.ceil(plot() / 8 * state.cell / state.px); state.row += by[0] * jump; state.key += by[1] * jump; bound(); later(); }
      else if (by) mark(Math.max(0, state.i) + by[0] * step, Math.max(0, state.j) + by[1] * step);
      else if (event.key === "+" || event.key === "=") zoom(true);
      else if (event.key === "-") zoom(false);
      else if (event.key === "0") whole();
      else if (event.key === "1") single();
      else return;
      event.preventDefault();
    };
    const name = kind => fileName(side.set.resolved, state.n, kind);
    part(side, ".png").onclick = () => savePng(canvas, name("png"));
    part(side, ".svg").onclick = () => save(new Blob([svgOf(lab, side.k, canvas, { ...state, head: state.head % side.set.heads }, side.set.resolved)], { type: "image/svg+xml" }), name("svg"));
    part(side, ".npy").onclick = () => {
      const size = state.n * state.n * side.set.heads;
      if (size > MOST_NPY * MOST_NPY) part(side, ".error").textContent = `a mask of ${size.toLocaleString("en")} bytes is more than this page writes (${(MOST_NPY * MOST_NPY).toLocaleString("en")}); attnlab show --npy FILE writes it`;
      else save(npyOf(lab, side.k, state.n, side.set.heads), name("npy"));
    };
  }

  function restore() {
    state = readState(location.hash);
    if (!registry.kernels.includes(state.kernel)) state.kernel = registry.kernels[0];
    showControls();
    resize();
    applyAll();
  }
  window.addEventListener("hashchange", restore);
  window.addEventListener("resize", resize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  restore();
  document.body.dataset.ready = "1";
})();
