// Downloads: the picture as PNG and SVG, the mask as NPY.
"use strict";

const MOST_NPY = 8192;

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const fileName = (text, n, kind) => `${text.replace(/[^\w.=-]+/g, "_").slice(0, 60)}-n${n}.${kind}`;

function savePng(canvas, name) {
  canvas.toBlob(blob => save(blob, name), "image/png");
}

// What is on show, cells of equal ink in a row as one rectangle.
function svgOf(lab, side, canvas, state, text) {
  const frame = frameOf(canvas, state), escape = s => s.replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);
  const across = Math.min(frame.cells, Math.ceil((state.n - state.key) / frame.cell)), down = Math.min(frame.cells, Math.ceil((state.n - state.row) / frame.cell));
  const shares = lab.draw(side, 0, state.head, state.row, state.key, frame.cell, down, across), last = k => Math.min(state.n, k) - 1;
  const parts = [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-60 -24 ${across + 64} ${down + 28}" font-family="sans-serif" font-size="${Math.max(4, across / 40)}">`,
    `<title>${escape(text)}, n=${state.n}, head ${state.head}: queries ${state.row} to ${last(state.row + down * frame.cell)}, keys ${state.key} to ${last(state.key + across * frame.cell)}</title>`,
    `<rect width="${across}" height="${down}" fill="#ffffff" stroke="#d0d7de" stroke-width="0.5"/><g fill="#0b5c94" shape-rendering="crispEdges">`];
  for (let r = 0; r < down; r++)
    for (let c = 0, end; c < across; c = end) {
      const ink = Math.round(255 * inkOf(shares[r * across + c]));
      for (end = c + 1; end < across && Math.round(255 * inkOf(shares[r * across + end])) === ink;) end++;
      if (ink) parts.push(`<rect x="${c}" y="${r}" width="${end - c}" height="1"${ink < 255 ? ` fill-opacity="${(ink / 255).toFixed(3)}"` : ""}/>`);
    }
  parts.push("</g><g fill=\"#57606a\">");
  for (const tick of ticksOf(state.key, Math.min(state.n, state.key + across * frame.cell), 6)) parts.push(`<text x="${(tick - state.key + .5) / frame.cell}" y="-3" text-anchor="middle">${tick}</text>`);
  for (const tick of ticksOf(state.row, Math.min(state.n, state.row + down * frame.cell), 10)) parts.push(`<text x="-3" y="${(tick - state.row + .5) / frame.cell}" text-anchor="end" dominant-baseline="middle">${tick}</text>`);
  parts.push("</g></svg>");
  return parts.join("\n");
}

// bool [n, n], or [heads, n, n]; as `attnlab show -o npy` writes it and numpy.load() reads it.
function npyOf(lab, side, n, heads) {
  const shape = heads > 1 ? `(${heads}, ${n}, ${n})` : `(${n}, ${n})`;
  let header = `{'descr': '|b1', 'fortran_order': False, 'shape': ${shape}, }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const body = new Uint8Array(heads * n * n);
  for (let h = 0; h < heads; h++)
    for (let i = 0; i < n; i++) body.set(lab.row(side, h, i, n), (h * n + i) * n);
  const begin = new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  return new Blob([begin, header, body], { type: "application/octet-stream" });
}
