// libattn in WebAssembly: calls, texts and arrays. In the page and in its worker.
"use strict";

function wasiWithoutFiles(memory) { // there is nothing to open; every other call fails with EBADF
  const BAD = 8;
  return new Proxy({}, { get: (_, name) => (...words) => {
    if (name === "clock_time_get") { new DataView(memory().buffer).setBigUint64(words[2], BigInt(Math.round(performance.now() * 1e6)), true); return 0; }
    if (name === "proc_exit") throw new Error("the module has ended");
    return BAD;
  } });
}

async function startModule(compiled) {
  let exports;
  const instance = await WebAssembly.instantiate(compiled, { wasi_snapshot_preview1: wasiWithoutFiles(() => exports.memory) });
  exports = instance.exports;
  exports._initialize();
  const text = at => { const all = new Uint8Array(exports.memory.buffer); return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at))); };
  const put = (...words) => {
    const bytes = new TextEncoder().encode(words.join("\0") + "\0");
    const at = exports.text_in(bytes.length); // has room for a 0 more
    if (!at) throw new Error("out of memory");
    new Uint8Array(exports.memory.buffer).set(bytes, at);
  };
  return {
    registry: () => JSON.parse(text(exports.registry())),
    set(side, spec, n, heads, hops) { put(spec); return JSON.parse(text(exports.set_side(side, n, heads, hops))); },
    drop: side => exports.drop_side(side),
    draw(side, reached, head, row, key, cell, rows, columns) {
      const at = exports.draw(side, reached, head, row, key, cell, rows, columns);
      return at ? new Float32Array(exports.memory.buffer, at, rows * columns) : null;
    },
    work: () => exports.draw_work(),
    exact: () => exports.draw_exact() !== 0,
    unknown: () => exports.draw_unknown(),
    why: (side, head, i, j) => JSON.parse(text(exports.why(side, head, i, j))),
    row(side, head, i, n) { const at = exports.mask_row(side, head, i); return at ? new Uint8Array(exports.memory.buffer, at, n) : null; },
    degrees(side, head, n) { const at = exports.degrees(side, head); return at ? new Uint32Array(exports.memory.buffer, at, 2 * n).slice() : null; },
    analyze(spec, kernel, n, heads, dim, sections) { put(spec, kernel); return JSON.parse(text(exports.analyze_spec(n, heads, dim, sections))); },
  };
}
