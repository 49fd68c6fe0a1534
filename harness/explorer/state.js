// What is shown, in the page's address, so that a link repeats it.
"use strict";

const SIDES = ["a", "b"], MOST_N = 1 << 20, MOST_PX = 32;
const START = { a: "strided:l=16", b: "fixed:l=16,c=4", two: 0, n: 256, heads: 8, head: 0, grid: 0, hops: 1, row: 0, key: 0, cell: 0, px: 1, i: -1, j: -1, dim: 64, kernel: "avx2" };
const WORDS = ["a", "b", "kernel"];

function readState(hash) {
  const state = { ...START };
  for (const [key, value] of new URLSearchParams(hash.replace(/^#/, "")))
    if (WORDS.includes(key)) state[key] = value;
    else if (key in START && Number.isFinite(+value) && value !== "") state[key] = key === "px" ? +value : Math.round(+value);
  const within = (key, least, most) => { state[key] = Math.min(Math.max(state[key], least), most); };
  within("n", 1, MOST_N); within("heads", 1, 65536); within("head", 0, state.heads - 1); within("hops", 1, 4);
  within("row", 0, state.n - 1); within("key", 0, state.n - 1); within("cell", 0, state.n); within("px", .5, MOST_PX);
  within("i", -1, state.n - 1); within("j", -1, state.n - 1); within("dim", 16, 256);
  return state;
}

function writeState(state) {
  const words = new URLSearchParams();
  for (const key of Object.keys(START)) if (state[key] !== START[key] && (key !== "b" || state.two)) words.set(key, state[key]);
  const hash = words.toString();
  if (location.hash.replace(/^#/, "") !== hash) history.replaceState(null, "", hash ? "#" + hash : location.pathname + location.search);
}
