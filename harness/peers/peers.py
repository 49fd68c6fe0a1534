"""Compares attnlab with other people's kernels: the driver behind `make peers`.

It measures nothing itself. For each cell `attnlab run` looks at each arm as an external kernel (docs/EXTERNAL.md), and
`attnlab compare` measures the fastest beside attnlab's own, in blocks of fresh processes: what any user can do by hand, with the
same checks against the oracle before anything is timed. This needs Python alone; NumPy and the peers are the business of the
interpreter the user named. An arm that crashes, is wrong or takes too long costs its own result.
"""
import argparse
import datetime
import json
import os
import shlex
import subprocess
import sys

import cells
import results
import table

HERE = os.path.dirname(os.path.abspath(__file__))
STANDARD_ARMS = ("torch_sdpa", "torch_expert", "torch_flex", "onnxruntime_mha")
# An arm that was this many times slower than the best at a smaller n or with other threads is not tried; SLOWER where a
# run may take longer than LONG_NS (its time grows by the square of n at most).
HOPELESS, SLOWER, LONG_NS = 3.0, 1.3, 2e9
# Of a row of attnlab's own o, as external kernels are held to (harness/ext_verify.c).
TOLERANCE = {"f32": 5e-5, "bf16": 3e-2}


def parse_arguments():
    p = argparse.ArgumentParser(prog="peers", description="Compares attnlab with other kernels on the same inputs.")
    p.add_argument("--program", default="build/attnlab", help="the attnlab program")
    p.add_argument("--db", default="results/attnlab.db", help="the store")
    p.add_argument("--python", default="python3", help="command that runs Python where the peers are")
    p.add_argument("--only", action="append", default=[], metavar="NAME=VALUE",
                   help="cells with set, spec, n, dim, dtype or threads like this; may be repeated")
    p.add_argument("--arms", default=",".join(STANDARD_ARMS), help="comma-separated: names, or paths of .py files")
    p.add_argument("--blocks", type=int, default=8, metavar="B", help="fresh processes of both, in turn, per cell")
    p.add_argument("--max-time", type=float, default=0.3, metavar="S", help="seconds of timed runs in each of them")
    p.add_argument("--look", type=float, default=0.15, metavar="S", help="seconds of a first look at each arm")
    p.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds until an arm is given up")
    p.add_argument("--memory", type=int, default=0, metavar="MIB",
                   help="address space of an arm (default: memory and swap of the machine)")
    p.add_argument("--resume", action="store_true", help="leave out cells this program compared on this machine")
    p.add_argument("--table", action="store_true", help="measure nothing, print what the store holds")
    p.add_argument("--list", action="store_true", help="print the cells and stop")
    p.add_argument("-o", choices=("table", "md"), default="table", help="form of the ratio table")
    return p.parse_args()


def complain(text):
    print("peers: " + text, file=sys.stderr, flush=True)


# ---- the other interpreter ----

def name_of(arm):
    """An arm's name by the convention of the standard ones: torch_sdpa is "torch-sdpa"."""
    return os.path.basename(arm).replace("arm_", "").replace(".py", "").replace("_", "-")


def command_of(options, arm, way=None):
    return "ulimit -v %d; exec %s %s %s%s" % (
        (options.memory or machine_memory()) << 10, options.python, shlex.quote(os.path.join(HERE, "adapter.py")),
        shlex.quote(os.path.abspath(arm) if arm.endswith(".py") else arm), " " + shlex.quote(way) if way else "")


def machine_memory():
    with open("/proc/meminfo") as info:
        sizes = {x.split(":")[0]: int(x.split()[1]) for x in info}
    return (sizes["MemTotal"] + sizes["SwapTotal"]) >> 10


def probe(options):
    """The arms that are here; the others are named with how to get them."""
    present = []
    for arm in options.arms.split(","):
        try:
            done = subprocess.run(["/bin/sh", "-c", command_of(options, arm)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, universal_newlines=True, timeout=120,
                                  input='{"request": "hello", "protocol": 1, "probe": false}\n')
            said = json.loads(done.stdout.partition("\n")[0])
        except subprocess.TimeoutExpired:
            said = {"ok": False, "error": "no answer in two minutes", "get": "does %s work?" % options.python}
        except ValueError:
            last = next((x.strip() for x in reversed(done.stderr.splitlines()) if x.strip()), "it says nothing")
            said = {"ok": False, "error": last[:300], "get": "does %s work?" % options.python}
        if said["ok"]:
            present.append(arm)
            complain("%s %s" % (name_of(arm), said["version"]))
        else:
            complain("%s absent (%s): %s" % (name_of(arm), said["error"], said.get("get", "")))
    return present


# ---- one cell ----

def processors(count):
    """That many CPUs, of different cores first."""
    def core(cpu):
        try:
            with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu) as siblings:
                return siblings.read()
        except OSError:
            return str(cpu)
    seen = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        seen.setdefault(core(cpu), []).append(cpu)
    order = []
    for place in range(max(len(cpus) for cpus in seen.values())):
        order += [cpus[place] for cpus in seen.values() if place < len(cpus)]
    return order[:count]


class Measuring:
    """attnlab as it is called for one cell."""

    def __init__(self, options, cell, arm=None, way=None):
        self.options, self.cell = options, cell
        self.externals = ["--ext", "%s=%s" % (name_of(arm), command_of(options, arm, way))] if arm else []

    def confine(self):
        os.sched_setaffinity(0, processors(self.cell.threads))

    def call(self, command, *more):
        """(exit code, rows of standard output, the first complaint)"""
        c = self.cell
        child = subprocess.Popen(
            [self.options.program, command, *more, "-p", c.spec, "-n", str(c.n), "-d", str(c.dim), "--heads",
             str(cells.HEADS), "--dtype", c.dtype, "--threads", str(c.threads), "--seed", "1", *self.externals,
             "--ext-timeout", "%g" % self.options.timeout, "--db", self.options.db, "-o", "jsonl"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, preexec_fn=self.confine,
            env=dict(os.environ, OMP_DYNAMIC="false", PYTHONDONTWRITEBYTECODE="1"))
        out, err = child.communicate()
        if child.returncode == 130:
            raise KeyboardInterrupt
        said = [x.strip() for x in err.splitlines() if x.startswith("attnlab: ")]
        why = said[0][len("attnlab: "):] if said else "exit code %d" % child.returncode
        return child.returncode, [json.loads(x) for x in out.splitlines()], why.partition(" failed: ")[2] or why


def advice(cell, past):
    """What is known of the pattern at a somewhat smaller n, or at another number of threads: the arms that need not be
    tried, and why."""
    alike = past.get((cell.spec, cell.dim, cell.dtype), {})
    hopeless = {}
    for n, threads in sorted(alike):  # the nearest n has the last word
        if not (cell.n / 4 <= n < cell.n and threads == cell.threads) and not (n == cell.n and threads != cell.threads):
            continue
        arms = alike[n, threads]
        best = min(row["time_ns"] for row in arms.values())
        for name, row in arms.items():
            times, longest_ns = row["time_ns"] / best, row["time_ns"] * (cell.n / n) ** 2
            hopeless.pop(name, None)
            if times > (SLOWER if longest_ns > LONG_NS and n < cell.n else HOPELESS):
                hopeless[name] = "%.1f times slower than the best at n=%d, threads %d" % (times, n, threads)
    return hopeless


def compare(options, store, host, cell, arms, label):
    """Measures one cell and stores it; the outcome in words."""
    hopeless, fastest = advice(cell, results.looks(store, host)), None
    code, rows, why = Measuring(options, cell).call("run", "--kernel", "auto", "--metrics", "accuracy", "--label",
                                                        label + " look")
    if code != 0 or not rows:
        return why
    if not rows[0]["worst_row_err"] <= TOLERANCE[cell.dtype]:
        return "attnlab itself is off the oracle by %g" % rows[0]["worst_row_err"]
    for arm in arms:
        name = name_of(arm)
        if name in hopeless:
            complain("%s: %s not tried: %s" % (cell, name, hopeless[name]))
            continue
        code, rows, why = Measuring(options, cell, arm).call(
            "run", "--kernel", "ext:" + name, "--metrics", "time,flops,accuracy", "--max-time", "%g" % options.look,
            "--label", label + " look")
        took = rows[0]["time_ns"]["median"] if rows and code == 0 else None
        if took is None:
            complain("%s: %s: %s" % (cell, name, why))
        elif fastest is None or took < fastest[0]:
            fastest = took, arm
    if not fastest:
        return "no peer computes it"
    name = name_of(fastest[1])
    look = results.looks(store, host)[cell.spec, cell.dim, cell.dtype][cell.n, cell.threads][name]
    _, rows, why = Measuring(options, cell, fastest[1], look["setup"]).call(
        "compare", "--kernel", "auto", "--kernel", "ext:" + name, "--blocks", str(options.blocks), "--max-time",
        "%g" % options.max_time, "--label", label)
    row = next((x for x in rows if results.key_of(x) == cell.key()), None)  # the label has other cells too
    if row is None or row["ratio"] is None:
        return why
    return "%s takes %.2f times attnlab's %s" % (name, row["ratio"], table.duration(row["time_ns_a"]))


# ---- all of them ----

def measure_all(options, store, wanted):
    arms = probe(options)
    if not arms:
        complain("nothing to compare with")
        return True
    here = store.here()
    if options.resume:
        done = {results.key_of(x) for x in results.comparisons(store, here["host_fingerprint"])
                if x["ours"]["binary_hash"] == here["binary_hash"]}
        wanted = [c for c in wanted if c.key() not in done]
    label = "peers " + datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    available = len(os.sched_getaffinity(0))
    try:
        for number, cell in enumerate(wanted, 1):
            head = "[%d/%d] %s: " % (number, len(wanted), cell)
            if cell.threads > available:
                complain(head + "left out, %d CPUs" % available)
                continue
            complain(head + compare(options, store, here["host_fingerprint"], cell, arms, label))
    except KeyboardInterrupt:
        complain("interrupted; what is finished is in %s, and --resume continues" % store.database)
        return False
    return True


def print_table(options, store, wanted):
    keys = {c.key() for c in wanted}
    rows = [x for x in results.comparisons(store) if not options.only or results.key_of(x) in keys]
    if not rows:
        complain("no comparisons in %s" % store.database)
        return
    table.write(rows, options.o == "md", sys.stdout)
    reasons = {}
    for x in results.failures(store):
        reasons.setdefault((x["kernel"][len("ext:"):], x["reason"]), []).append(x)
    for (arm, reason), where in sorted(reasons.items()):
        first = where[0]
        print("%s has no result for %d cell%s (such as %s n=%d d=%d %s): %s" % (
            arm, len(where), "" if len(where) == 1 else "s", first["spec"], first["n"], first["dim"], first["dtype"],
            reason))


def main():
    options = parse_arguments()
    try:
        wanted = cells.select(options.only)
        if not wanted:
            raise ValueError("no cell is like --only " + " --only ".join(options.only))
    except ValueError as why:
        complain(str(why))
        return 2
    if options.list:
        print("\n".join("%s  %s" % (c.set, c) for c in wanted))
        return 0
    store = results.Store(options.program, options.db)
    try:
        complete = options.table or measure_all(options, store, wanted)
        print_table(options, store, wanted)
    except results.StoreError as why:
        complain(str(why))
        return 74
    return 0 if complete else 130


if __name__ == "__main__":
    sys.exit(main())
