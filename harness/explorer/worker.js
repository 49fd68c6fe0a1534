// What takes longer than a picture: numbers and degrees. One request after the other; who loses patience ends the worker.
let lab;
onmessage = async message => {
  const q = message.data;
  if (q.compiled) { lab = startModule(q.compiled); return; }
  const module = await lab;
  const answer = { id: q.id };
  try {
    if (q.degrees) {
      const set = module.set(0, q.spec, q.n, q.heads, 1);
      answer.degrees = set.error || (set.by_pairs && q.n > 4096) ? null : module.degrees(0, q.head, q.n);
      module.drop(0);
    } else if (q.hops) {
      const set = module.set(0, q.spec, q.n, q.heads, q.hops);
      const found = set.error || !set.hops_apart ? null : module.draw(0, 1, 0, q.row, q.key, q.cell, q.down, q.across);
      answer.reach = found && { shares: found.slice(), unknown: module.unknown(), exact: module.exact() };
      module.drop(0);
    } else {
      answer.result = module.analyze(q.spec, q.kernel, q.n, q.heads, q.dim, q.sections);
    }
  } catch (error) {
    answer.result = { error: "this is more than the page's memory holds: " + error.message };
  }
  postMessage(answer);
};
