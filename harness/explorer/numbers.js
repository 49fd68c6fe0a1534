// The table of numbers, computed by a worker while the picture stays alive.
"use strict";

const SECTIONS = { pairs: 1, reach: 2, graph: 4, tiles: 8, time: 16 };
const whole = x => x === null || x === undefined ? "–" : Math.round(x).toLocaleString("en");
const short = x => x === null || x === undefined || Number.isNaN(x) ? "–" : x === 0 ? "0" : Math.abs(x) >= 1e5 ? x.toExponential(2) : `${+x.toPrecision(3)}`;
const percent = x => x === null || x === undefined ? "–" : `${short(100 * x)}%`;
const spread = d => `${whole(d.min)} / ${whole(d.median)} / ${whole(d.max)}`;
const reachRow = (r, t, track, interval) => t < r.hops ? percent(r[track][t]) + (r[interval] ? ` (${percent(r[interval][t][0])} to ${percent(r[interval][t][1])})` : "") : "–";
const toFull = (r, kind) => r.hops_to_full[kind] ?? (r.hops_to_full[kind === "plain" ? "never" : "never_residual"] ? "never" : `more than ${r.hops_to_full.looked_at}`);
const validity = (r, kind) => r.validity[kind] ? "yes" : (w => `no: ${w.i} misses ${w.j}`)(r.validity[kind === "plain" ? "witness" : "witness_residual"]);

// [name, request it is of, text of its result]
const ROWS = [
  ["pairs of a head", "count", r => whole(r.pairs)],
  ["of those that could be", "count", r => percent(r.density)],
  ["pairs grow as", "count", r => r.growth.class ? `${r.growth.class}, here with exponent ${short(r.growth.slope)}` : "–"],
  ["keys of a query: least / median / most", "count", r => spread(r.row_degree)],
  ["queries of a key", "count", r => spread(r.column_degree)],
  ["queries without a key", "count", r => whole(r.empty_rows)],
  ["predicted cost, of dense", "count", (r, dense) => dense && r.predicted_ns && dense.predicted_ns ? `${percent(r.predicted_ns / dense.predicted_ns)} (${short(r.predicted_ns / 1e6)} of ${short(dense.predicted_ns / 1e6)} million cycles)` : "–"],
  ["FLOPs, of dense", "count", r => percent(r.flops_useful / r.flops_dense)],
  ["what is computed and needed, in the planner's tiles", "count", r => percent(r.tile_utilisation)],
  ["tiles of 64 × 64: full, partial, empty", "count", r => (t => `${whole(t.full)}, ${whole(t.partial)}, ${whole(t.empty)}`)(r.tiles.find(t => t.block === 64).natural)],
  ["reached after 1 hop", "reach", r => reachRow(r, 0, "reach", "reach_interval")],
  ["2 hops", "reach", r => reachRow(r, 1, "reach", "reach_interval")],
  ["3 hops", "reach", r => reachRow(r, 2, "reach", "reach_interval")],
  ["4 hops", "reach", r => reachRow(r, 3, "reach", "reach_interval")],
  ["2 hops, with the residual", "reach", r => reachRow(r, 1, "reach_residual", "reach_residual_interval")],
  ["hops until all is reached, without / with the residual", "reach", r => `${toFull(r, "plain")} / ${toFull(r, "residual")}`],
  ["all pairs joined in 2 steps", "reach", r => `${validity(r, "plain")}; with the residual ${validity(r, "residual")}`],
  ["mean path length, longest", "reach", r => r.path_length.mean ? `${short(r.path_length.mean)}, ${whole(r.path_length.max)}` : "–"],
  ["spectral gap", "reach", r => short(r.spectral_gap.value)],
];
const REQUESTS = { count: SECTIONS.pairs | SECTIONS.tiles | SECTIONS.time, reach: SECTIONS.reach | SECTIONS.graph };

function makeNumbers(compiled) {
  const code = document.getElementById("module-code").textContent + document.getElementById("worker-code").textContent;
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  let worker = null, next = 0;
  const waiting = new Map();
  function begin() {
    worker = new Worker(address);
    worker.postMessage({ compiled });
    worker.onmessage = message => { const done = waiting.get(message.data.id); waiting.delete(message.data.id); done?.(message.data); };
  }
  return {
    busy: () => waiting.size > 0,
    forget() { if (waiting.size) { worker.terminate(); worker = null; waiting.clear(); } }, // of what is no longer on show
    ask(request) { if (!worker) begin(); const id = next++; return new Promise(done => { waiting.set(id, done); worker.postMessage({ id, ...request }); }); },
  };
}

function fillNumbers(results) { // [side]{count, reach, dense}
  const body = document.querySelector("#numbers tbody");
  body.replaceChildren(...ROWS.map(([name, of, text]) => {
    const row = document.createElement("tr"), heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = name;
    row.append(heading, ...results.map((side, k) => {
      const cell = document.createElement("td"), found = side[of];
      cell.className = k ? "b" : "";
      cell.textContent = !found ? "…" : found.error ? found.error : text(found, side.dense);
      return cell;
    }));
    return row;
  }));
}
