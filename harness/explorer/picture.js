// Pictures of masks: cells by libattn, colours, axes and the strips of degrees by the page.
"use strict";

const MARGIN = { left: 46, top: 20, right: 26, bottom: 26 };

function colourOf(name) {
  const probe = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map(k => parseInt(probe.slice(k, k + 2), 16));
}
const theme = () => Object.fromEntries(["paper", "ink", "soft", "line", "panel", "allowed", "reached", "mark"].map(name => [name, colourOf("--" + name)]));
const css = ([r, g, b], alpha = 1) => `rgba(${r},${g},${b},${alpha})`;

// A share as ink: what is not 0 is seen.
const inkOf = share => share <= 0 ? 0 : 0.12 + 0.88 * share;

// Canvas pixels: the inner square of the picture, and how many cells it shows.
function frameOf(canvas, state) {
  const size = Math.min(canvas.width - MARGIN.left - MARGIN.right, canvas.height - MARGIN.top - MARGIN.bottom);
  return { size, px: state.px, cell: Math.max(1, state.cell), cells: Math.ceil(size / state.px) };
}

// The view that shows the whole of n in `size` pixels: cells of half a pixel to one, or pairs of one pixel and more.
function fitView(n, size) {
  const cell = Math.max(1, Math.floor(n / size));
  return { cell, px: Math.min(MOST_PX, size * cell / n) };
}

// The view of about `per` pairs a pixel: powers of two, and never coarser than the whole.
function viewOf(per, n, size) {
  const fit = fitView(n, size);
  if (per >= fit.cell / fit.px * .99) return fit;
  return per > .75 ? { cell: Math.max(1, 2 ** Math.round(Math.log2(per))), px: 1 } : { cell: 1, px: Math.min(MOST_PX, 2 ** Math.round(-Math.log2(per))) };
}

const pack = ([r, g, b]) => (255 << 24 | Math.round(b) << 16 | Math.round(g) << 8 | Math.round(r)) >>> 0;
const blend = (from, to, share) => from.map((c, k) => c + (to[k] - c) * share);

// Inks by 255 shares of allowed pairs, over paper or over what is reached; what is not 0 is not the first.
function imageOf(shares, reached, rows, columns, colours) {
  const image = new ImageData(columns, rows), out = new Uint32Array(image.data.buffer), LEVELS = 255;
  const inks = [...Array(LEVELS + 1).keys()].map(level => pack(blend(colours.paper, colours.allowed, inkOf(level / LEVELS))));
  const outside = pack(colours.panel);
  for (let k = 0; k < rows * columns; k++) out[k] = shares[k] < 0 ? outside : inks[shares[k] > 0 ? Math.max(1, Math.round(shares[k] * LEVELS)) : 0];
  for (let k = 0; reached && k < rows * columns; k++)
    if (reached[k] > shares[k] && shares[k] >= 0)
      out[k] = pack(blend(blend(colours.paper, colours.reached, .75 * inkOf(Math.min(1, reached[k] - shares[k]))), colours.allowed, inkOf(shares[k])));
  return image;
}

const scratchCanvas = document.createElement("canvas");
function paint(context, image, x, y, px) {
  scratchCanvas.width = image.width;
  scratchCanvas.height = image.height;
  scratchCanvas.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = px < 4 && px % 1 !== 0; // else columns would be of different widths
  context.drawImage(scratchCanvas, x, y, image.width * px, image.height * px);
}

// Round numbers between begin and end, at most about `most`.
function ticksOf(begin, end, most) {
  let step = 1;
  while ((end - begin) / step > most) step *= 2;
  const ticks = [];
  for (let at = Math.ceil(begin / step) * step; at < end; at += step) ticks.push(at);
  return ticks;
}

function drawAxes(context, state, frame, colours) {
  const per = frame.px / frame.cell;
  context.fillStyle = css(colours.soft);
  context.strokeStyle = css(colours.line);
  context.font = "12px system-ui, sans-serif";
  context.strokeRect(MARGIN.left - .5, MARGIN.top - .5, frame.size + 1, frame.size + 1);
  for (const [origin, across] of [[state.key, true], [state.row, false]]) {
    const end = Math.min(state.n, origin + frame.size / per);
    for (const tick of ticksOf(origin, end, across ? 6 : 10)) {
      const at = (tick - origin + .5) * per;
      context.textAlign = across ? "center" : "right";
      context.textBaseline = across ? "bottom" : "middle";
      context.fillText(tick, across ? MARGIN.left + at : MARGIN.left - 4, across ? MARGIN.top - 3 : MARGIN.top + at);
    }
  }
}

// Mean degrees of what each pixel stands for, as bars beside the picture.
function drawDegrees(context, state, frame, degrees, colours) {
  const n = state.n, length = MARGIN.right - 6, most = [0, n].map(from => degrees.subarray(from, from + n).reduce((a, b) => Math.max(a, b), 1));
  context.fillStyle = css(colours.soft);
  for (let c = 0; c < frame.cells; c++) {
    for (const [origin, across] of [[state.row, false], [state.key, true]]) {
      const begin = origin + c * frame.cell, end = Math.min(n, begin + frame.cell);
      if (begin >= n) continue;
      let sum = 0, looked = Math.min(8, end - begin);
      for (let s = 0; s < looked; s++) sum += degrees[(across ? n : 0) + begin + Math.floor(s * (end - begin) / looked)];
      const bar = Math.max(sum > 0 ? 1 : 0, length * sum / looked / most[+across]), at = c * frame.px, wide = Math.max(1, Math.min(frame.px, frame.size - at) - (frame.px > 3 ? 1 : 0));
      if (across) context.fillRect(MARGIN.left + at, MARGIN.top + frame.size + 3, wide, bar);
      else context.fillRect(MARGIN.left + frame.size + 3, MARGIN.top + at, bar, wide);
    }
  }
}

function drawMark(context, state, frame, colours) {
  const per = frame.px / frame.cell, x = Math.floor((state.j - state.key) / frame.cell) * frame.px, y = Math.floor((state.i - state.row) / frame.cell) * frame.px;
  if (state.i < 0 || x < 0 || y < 0 || x >= frame.size || y >= frame.size) return;
  const side = Math.max(per, frame.px, 5), back = (side - frame.px) / 2;
  context.strokeStyle = css(colours.mark);
  context.lineWidth = 2;
  context.strokeRect(MARGIN.left + x - back, MARGIN.top + y - back, side, side);
  context.lineWidth = 1;
}

// Cells on show: those of the canvas that the mask has.
function extentOf(frame, state) {
  const within = origin => Math.min(frame.cells, Math.ceil((state.n - origin) / frame.cell));
  return { across: within(state.key), down: within(state.row) };
}

// One mask on its canvas; what hops reach over it, from the module (true) or as shares that a worker found. Returns the work: cells asked of
// libattn, and what it did for them.
function drawMask(lab, side, canvas, state, degrees, hops) {
  const context = canvas.getContext("2d"), colours = theme(), frame = frameOf(canvas, state);
  context.fillStyle = css(colours.paper);
  context.fillRect(0, 0, canvas.width, canvas.height);
  const { across, down } = extentOf(frame, state);
  const ask = reached => { const found = lab.draw(side, reached, state.head, state.row, state.key, frame.cell, down, across); work.steps += lab.work(); work.cells += down * across; return found; };
  const work = { steps: 0, cells: 0, exact: true };
  const reached = hops === true ? ask(1).slice() : hops, shares = ask(0);
  work.exact = lab.exact();
  context.save();
  context.beginPath();
  context.rect(MARGIN.left, MARGIN.top, frame.size, frame.size);
  context.clip();
  context.fillStyle = css(colours.panel);
  context.fillRect(MARGIN.left, MARGIN.top, frame.size, frame.size);
  if (shares) paint(context, imageOf(shares, reached, down, across, colours), MARGIN.left, MARGIN.top, frame.px);
  drawMark(context, state, frame, colours);
  context.restore();
  drawAxes(context, state, frame, colours);
  if (degrees) drawDegrees(context, state, frame, degrees, colours);
  return work;
}

// All heads, small, whole masks. Returns the places of the heads besides the work.
function drawGrid(lab, side, canvas, state, heads) {
  const MOST_HEADS = 64, context = canvas.getContext("2d"), colours = theme(), shown = Math.min(heads, MOST_HEADS);
  const columns = Math.ceil(Math.sqrt(shown)), rows = Math.ceil(shown / columns), gap = 18;
  const size = Math.floor(Math.min(canvas.width / columns, canvas.height / rows)) - gap, view = fitView(state.n, Math.max(8, size));
  const cells = Math.ceil(state.n / view.cell), work = { steps: 0, cells: 0, exact: true, places: [] };
  context.fillStyle = css(colours.paper);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "12px system-ui, sans-serif";
  for (let h = 0; h < shown; h++) {
    const x = (h % columns) * (size + gap), y = Math.floor(h / columns) * (size + gap) + gap;
    const shares = lab.draw(side, 0, h, 0, 0, view.cell, cells, cells);
    work.steps += lab.work();
    work.cells += cells * cells;
    work.exact = work.exact && lab.exact();
    if (shares) paint(context, imageOf(shares, null, cells, cells, colours), x, y, view.px);
    context.strokeStyle = css(h === state.head ? colours.mark : colours.line);
    context.strokeRect(x + .5, y - .5, cells * view.px, cells * view.px);
    context.fillStyle = css(colours.soft);
    context.fillText(`head ${h}`, x, y - 4);
    work.places.push({ head: h, x, y, size: cells * view.px });
  }
  if (heads > shown) context.fillText(`and ${heads - shown} more`, 0, canvas.height - 4);
  return work;
}
