"""Compares attnlab with other people's kernels: the driver behind `make peers`.

For each cell it writes the inputs (`attnlab input`), starts cell.py with the interpreter the user named, and imports
what that found into the store. It needs Python alone; NumPy and the peers are the business of the other interpreter.
An arm that crashes or takes too long costs its own result: the cell is started again without it.
"""
import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

import cells
import results
import table

HERE = os.path.dirname(os.path.abspath(__file__))
STANDARD_ARMS = ("torch_sdpa", "torch_expert", "torch_flex", "onnxruntime_mha")
# An arm that was this many times slower than the best at a smaller n or with other threads is not tried; SLOWER where a
# run may take longer than LONG_NS (its time grows by the square of n at most).
HOPELESS, SLOWER, LONG_NS = 3.0, 1.3, 2e9


def parse_arguments():
    p = argparse.ArgumentParser(prog="peers", description="Compares attnlab with other kernels on the same inputs.")
    p.add_argument("--program", default="build/attnlab", help="the attnlab program")
    p.add_argument("--library", default="build/libattn.so", help="libattn as a shared library")
    p.add_argument("--db", default="results/attnlab.db", help="the store")
    p.add_argument("--python", default="python3", help="command that runs Python where the peers are")
    p.add_argument("--only", action="append", default=[], metavar="NAME=VALUE",
                   help="cells with set, spec, n, dim, dtype or threads like this; may be repeated")
    p.add_argument("--arms", default=",".join(STANDARD_ARMS), help="comma-separated: names, or paths of .py files")
    p.add_argument("--max-time", type=float, default=2.0, metavar="S", help="seconds in turn with attnlab, per cell")
    p.add_argument("--look", type=float, default=0.15, metavar="S", help="seconds of a first look at each way")
    p.add_argument("--timeout", type=float, default=600, metavar="S", help="seconds until an arm is given up")
    p.add_argument("--memory", type=int, default=0, metavar="MIB",
                   help="address space of the measuring process (default: memory and swap of the machine)")
    p.add_argument("--resume", action="store_true", help="leave out cells this program compared on this machine")
    p.add_argument("--table", action="store_true", help="measure nothing, print what the store holds")
    p.add_argument("--list", action="store_true", help="print the cells and stop")
    p.add_argument("-o", choices=("table", "md"), default="table", help="form of the ratio table")
    return p.parse_args()


def complain(text):
    print("peers: " + text, file=sys.stderr, flush=True)


# ---- the other interpreter ----

def environment(threads):
    """Thread counts for every OpenMP and BLAS that may be loaded. How idle threads wait is left as each library has
    it for its users; cell.py pauses between arms until they sleep."""
    count = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return dict(os.environ, OMP_DYNAMIC="false", PYTHONDONTWRITEBYTECODE="1", **count)


def ask(python, request, timeout, threads=1):
    """Yields the lines of one cell.py; the last is {"event": "ended", "reason": why it did not end well or None}."""
    try:
        child = subprocess.Popen([*shlex.split(python), os.path.join(HERE, "cell.py")], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                                 start_new_session=True, env=environment(threads))
    except OSError as why:
        yield {"event": "ended", "reason": "%s cannot be run: %s" % (python, why.strerror)}
        return
    complaints, late = [], []

    def stop():
        late.append(True)
        os.killpg(child.pid, signal.SIGKILL)
    reader = threading.Thread(target=lambda: complaints.extend(child.stderr), daemon=True)
    reader.start()
    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        try:
            child.stdin.write(json.dumps(request))
            child.stdin.close()
        except BrokenPipeError:
            pass
        for line in child.stdout:
            yield json.loads(line)
        code = child.wait()
        reader.join(1)
        last = next((x.strip() for x in reversed(complaints) if x.strip()), "")
        reason = None
        if late:
            reason = "gave up after %g s" % timeout
        elif code < 0 or code > 128:
            reason = "killed by %s" % signal.Signals(-code if code < 0 else code - 128).name
        elif code:
            reason = last[:300] or "exit code %d" % code
        yield {"event": "ended", "reason": reason}
    finally:
        timer.cancel()
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def probe(options):
    """The files of the arms that are here; the others are named with how to get them."""
    present = []
    arms = options.arms.split(",")
    for line in ask(options.python, {"task": "probe", "arms": arms}, 120):
        if line["event"] == "present":
            present.append(line["file"])
            complain("%s %s" % (line["arm"], line["version"]))
        elif line["event"] == "absent":
            complain("%s absent (%s): %s" % (line["arm"], line["reason"], line["get"]))
        elif line["event"] == "ended" and line["reason"]:
            complain("no peers: %s: %s" % (options.python, line["reason"]))
            return []
    return present


# ---- one cell ----

def machine_memory():
    with open("/proc/meminfo") as info:
        sizes = {x.split(":")[0]: int(x.split()[1]) for x in info}
    return (sizes["MemTotal"] + sizes["SwapTotal"]) >> 10


def write_inputs(options, folder, cell):
    done = subprocess.run([options.program, "input", "gauss", "--out", folder, "-n", str(cell.n), "-d", str(cell.dim),
                           "--heads", str(cells.HEADS), "--dtype", cell.dtype, "--seed", "1"],
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode:
        raise results.StoreError(done.stderr.strip())


def advice(cell, past):
    """What is known of the pattern at a somewhat smaller n, or at another number of threads: (arms that need not be
    tried and why, {arm: its best setup})."""
    alike = past.get((cell.spec, cell.dim, cell.dtype), {})
    hopeless, setups = {}, {}
    for n, threads in sorted(alike):  # the nearest n has the last word
        if not (cell.n / 4 <= n < cell.n and threads == cell.threads) and not (n == cell.n and threads != cell.threads):
            continue
        arms = alike[n, threads]
        best = min(row["time_ns"] for row in arms.values())
        for name, row in arms.items():
            times, longest_ns = row["time_ns"] / best, row["time_ns"] * (cell.n / n) ** 2
            setups[name] = row["setup"]
            hopeless.pop(name, None)
            if times > (SLOWER if longest_ns > LONG_NS and n < cell.n else HOPELESS):
                hopeless[name] = "%.1f times slower than the best at n=%d, threads %d" % (times, n, threads)
    return hopeless, setups


def name_of(arm):
    """An arm's NAME by the convention of the standard ones: torch_sdpa is "torch-sdpa"."""
    return os.path.basename(arm).replace("arm_", "").replace(".py", "").replace("_", "-")


def compare(options, store, cell, arms, folder, past):
    """Measures one cell and stores it; the outcome in words."""
    write_inputs(options, folder, cell)
    hopeless, setups = advice(cell, past)
    arms = [a for a in arms if name_of(a) not in hopeless]
    started, broken, said = results.now(), {}, {}
    while True:
        request = {"task": "cell", "library": os.path.abspath(options.library), "spec": cell.spec, "n": cell.n,
                   "heads": cells.HEADS, "dim": cell.dim, "dtype": cell.dtype, "threads": cell.threads,
                   "inputs": folder, "arms": [a for a in arms if name_of(a) not in broken], "setups": setups,
                   "seconds": options.max_time, "look_seconds": options.look,
                   "memory_mib": options.memory or machine_memory()}
        said, looked, failed, trying, ended = {}, {}, dict(broken), None, None
        for line in ask(options.python, request, options.timeout, cell.threads):
            kind = line["event"]
            said[kind] = line
            if kind == "looked":
                looked[line["arm"]] = line
            elif kind == "failed":
                failed[line["arm"]] = line["reason"]
            elif kind == "trying":
                trying = line["arm"]
            elif kind == "ended":
                ended = line["reason"]
        if ended and trying and trying not in broken:
            complain("%s: %s: %s" % (cell, trying, ended))
            broken[trying] = ended
            continue
        if ended and "compared" not in said:
            return ended
        break
    if "ours" not in said:
        return "attnlab itself disagrees with the oracle"
    record = results.Cell(store.run, cell, said["planned"], cells.HEADS, started)
    winner, ours = said.get("compared"), None
    if winner:
        ours = record.add(said["planned"]["kernel"], said["planned"]["isa"], winner["ours"], said["ours"]["errors"])
    for name, x in looked.items():
        texts = [("version", x["version"]), ("setup", x["setup"])]
        if winner and name == winner["arm"]:
            ratios = [b / a for a, b in zip(winner["ours"], winner["theirs"])]
            record.add("ext:" + name, "external", winner["theirs"], x["errors"],
                       texts + [("attnlab_measurement", ours)], ratios)
        else:
            record.add("ext:" + name, "external", x["samples"], x["errors"], texts)
    for name, reason in failed.items():
        complain("%s: %s: %s" % (cell, name, reason))
        record.fail("ext:" + name, reason)
    if record.measurements:
        store.add(record.measurements)
    for name, reason in hopeless.items():
        complain("%s: %s not tried: %s" % (cell, name, reason))
    if not winner:
        return "no peer computes it"
    text = table.stats.median([b / a for a, b in zip(winner["ours"], winner["theirs"])])
    return "%s, %s takes %.2f times attnlab's %s" % (winner["arm"], winner["setup"], text,
                                                    table.duration(table.stats.median(winner["ours"])))


# ---- all of them ----

def measure_all(options, store, wanted):
    arms = probe(options)
    if not arms:
        complain("nothing to compare with")
        return False
    run = store.begin("make peers PYTHON=%s PEERS_ARGS=%s" % (
        shlex.quote(options.python), shlex.quote(" ".join("--only " + shlex.quote(x) for x in options.only))))
    if options.resume:
        done = {(x["spec"], x["n"], x["dim"], x["dtype"], x["threads"])
                for x in results.comparisons(store, run["host_fingerprint"]) if x["binary_hash"] == run["binary_hash"]}
        wanted = [c for c in wanted if c.key() not in done]
    processors = len(os.sched_getaffinity(0))
    outcome = "complete"
    os.makedirs(os.path.dirname(os.path.abspath(options.library)), exist_ok=True)
    folder = tempfile.mkdtemp(prefix="peers-", dir=os.path.dirname(os.path.abspath(options.library)))
    try:
        for number, cell in enumerate(wanted, 1):
            head = "[%d/%d] %s: " % (number, len(wanted), cell)
            if cell.threads > processors:
                complain(head + "left out, %d CPUs" % processors)
                continue
            past = results.looks(store, run["host_fingerprint"])
            complain(head + compare(options, store, cell, arms, folder, past))
    except KeyboardInterrupt:
        outcome = "interrupted"
        complain("interrupted; what is finished is in %s, and --resume continues" % store.database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        store.end(outcome)
    return outcome == "complete"


def print_table(options, store, wanted):
    keys = {c.key() for c in wanted}
    rows = [x for x in results.comparisons(store)
            if not options.only or (x["spec"], x["n"], x["dim"], x["dtype"], x["threads"]) in keys]
    if not rows:
        complain("no comparisons in %s" % store.database)
        return
    table.write(rows, options.o == "md", sys.stdout)
    reasons = {}
    for x in results.failures(store):
        reasons.setdefault((x["kernel"][len("ext:"):], x["reason"]), []).append(x)
    for (arm, reason), where in sorted(reasons.items()):
        first = where[0]
        print("%s failed in %d cell%s (such as %s n=%d d=%d %s): %s" % (
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
    return 0 if complete or not store.run else 130


if __name__ == "__main__":
    sys.exit(main())
