"""One cell of the comparison, in a process of its own: agreement first, then time.

Reads a request (one JSON object) from standard input and writes one JSON object a line to standard output; standard
error is free. The driver (peers.py) starts it with the interpreter the user named, which need not be its own.

    {"task": "probe", "arms": [...]}       what of the arms is here
    {"task": "cell", ...}                  see measure()

libattn and the arms work in this one process on the very same q, k and v. Every arm's o, and libattn's, is compared
with the fp64 oracle on sampled rows, and with one another on all rows; an arm that is wrong is never timed. A short
look finds the fastest arm and setup; that one is then timed in turn with libattn: attnlab, peer, peer, attnlab, ...
(ABBA), a pair of neighbours giving one ratio.
"""
import gc
import json
import os
import sys
import time

# Worst relative error of a row, ||o - reference|| / ||reference||, over the rows checked. f32: kernels sum in
# different orders and compute exp to 1e-6 or so, a wrong or missing key among 16384 is 1e-2. bf16: p and o are rounded
# to 8 bits (4e-3), and parts of a union once more before they are joined.
TOLERANCE = {"f32": 5e-5, "bf16": 3e-2}
PAUSE_S = 0.02       # between arms: OpenMP's idle threads spin for some ms, and would take the other's CPU
VISIT_S = 0.02       # a visit of an arm lasts this long at least: as many runs as that takes
WARM_BELOW_S = 0.05  # shorter runs are preceded by one that is not timed, since the other arm had the caches
ROWS_CHECKED = 16    # of the first and the last head
LONG_NS = 1e9        # a first run longer than this is as good as a second
HOPELESS, COLD = 3.0, 10.0  # this many times slower than the fastest so far ends an arm; a first run, its look
NEAR = 2.0
MOST_PAIRS = 40
LEAST_PAIRS = 6, 4, 2  # 6 is where a distribution-free 95% interval begins to exist; fewer where they last long


class Wrong(Exception):
    """An arm's output does not agree."""


def now():
    return time.perf_counter_ns()


def tell(**line):
    OUT.write(json.dumps(line) + "\n")
    OUT.flush()


def one_line(error):
    text = " ".join(str(error).split())
    return (text or type(error).__name__)[:300]


# ---- agreement ----

def widen(x):
    import numpy
    return (x.astype(numpy.uint32) << 16).view(numpy.float32) if x.dtype == numpy.uint16 else x


class Reference:
    """The oracle's rows: head, row, o in fp64."""

    def __init__(self, problem, q, k, v):
        import numpy
        n, generator = problem.n, numpy.random.default_rng(1)
        some = {0, 1, n // 2, n - 2, n - 1} | set(generator.integers(0, n, ROWS_CHECKED - 5).tolist())
        self.rows = []
        for head in sorted({0, problem.heads - 1}):
            q64, k64, v64 = (widen(x[head]).astype(numpy.float64) for x in (q, k, v))
            self.rows += [(head, row, problem.oracle(head, row, q64, k64, v64)) for row in sorted(some)
                          if 0 <= row < n]

    def errors(self, o, tolerance):
        """What the metric `accuracy` calls them; raises Wrong beyond the tolerance."""
        import numpy
        worst_abs = worst_row = error = norm = 0.0
        for head, row, right in self.rows:
            if not right.any():
                continue  # an empty row: attnlab writes zeros, peers may do as they like
            departure = widen(o[head, row]).astype(numpy.float64) - right
            if not numpy.isfinite(departure).all():
                raise Wrong("head %d, row %d: not finite" % (head, row))
            ratio = numpy.linalg.norm(departure) / numpy.linalg.norm(right)
            if ratio > tolerance:
                raise Wrong("head %d, row %d: off the fp64 oracle by %.1e, more than %.0e" % (head, row, ratio, tolerance))
            worst_abs, worst_row = max(worst_abs, abs(departure).max()), max(worst_row, ratio)
            error, norm = error + (departure ** 2).sum(), norm + (right ** 2).sum()
        return {"max_abs_err": worst_abs, "rel_err": (error / norm) ** 0.5 if norm else 0.0,
                "worst_row_err": worst_row, "rows_checked": len(self.rows)}


def agree(ours, theirs, filled, tolerance):
    """All rows of both, but for empty ones: each within the tolerance of the truth, so twice that apart."""
    import numpy
    if theirs.shape != ours.shape:
        raise Wrong("o has shape %s, not %s" % (list(theirs.shape), list(ours.shape)))
    for head in range(ours.shape[0]):
        a, b, seen = widen(ours[head]), widen(theirs[head]), filled[head]
        apart = numpy.linalg.norm(b - a, axis=1)[seen]
        limit = 2 * tolerance * numpy.linalg.norm(a, axis=1)[seen]
        bad = ~(apart <= limit)
        if bad.any():
            row = int(numpy.flatnonzero(seen)[bad.argmax()])
            raise Wrong("head %d, row %d of o differs from attnlab's beyond 2 x %.0e" % (head, row, tolerance))


# ---- time ----

def timed(run, count=1):
    """Nanoseconds of one run, the mean of `count`."""
    start = now()
    for _ in range(count):
        run()
    return (now() - start) / count


def look(run, first_ns, seconds, best_ns=None):
    """A short look: one to five samples, after a first run that is not counted. It is when it took over a second, or
    so long that nothing else can come of it."""
    if first_ns > LONG_NS or (best_ns and first_ns > COLD * best_ns):
        return [first_ns]
    samples, until = [], now() + seconds * 1e9
    while not samples or (len(samples) < 5 and now() < until):
        samples.append(timed(run))
    return samples


def visit(run, expected_ns):
    time.sleep(PAUSE_S)
    if expected_ns < WARM_BELOW_S * 1e9:
        run()
    return timed(run, max(1, round(VISIT_S * 1e9 / expected_ns)))


def in_turn(ours, theirs, ours_ns, theirs_ns, seconds):
    """Samples of both, pair by pair."""
    samples, begin = ([], []), now()
    pair_ns = ours_ns + theirs_ns
    least = next((x for x in LEAST_PAIRS if x * pair_ns < 10 * seconds * 1e9), LEAST_PAIRS[-1])
    gc.collect()
    gc.disable()
    while len(samples[0]) < least or (len(samples[0]) < MOST_PAIRS and now() - begin < seconds * 1e9):
        first = len(samples[0]) % 2
        for arm in (first, 1 - first):
            samples[arm].append(visit((ours, theirs)[arm], (ours_ns, theirs_ns)[arm]))
    gc.enable()
    return samples


def decide(looked):
    """The fastest; those that come near it are looked at once more, lest a disturbance decides."""
    fastest = min(min(told["samples"]) for told, _ in looked)
    near = [x for x in looked if min(x[0]["samples"]) < NEAR * fastest]
    if len(near) > 1 and fastest < 5 * LONG_NS:
        for told, run in near:
            tell(event="trying", arm=told["arm"])
            told["samples"].append(timed(run))
            tell(**told)
    return min(near, key=lambda x: min(x[0]["samples"]))


# ---- the two tasks ----

def probe(request):
    import arms
    for name in request["arms"]:
        arm = arms.load(name)
        try:
            tell(event="present", arm=arm.NAME, file=name, version=str(arm.load()))
        except Exception as absent:  # a broken installation raises anything
            tell(event="absent", arm=arm.NAME, file=name, reason=one_line(absent), get=arm.GET)


def pin(threads):
    """To that many CPUs, of different cores first."""
    def core(cpu):
        try:
            with open("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list" % cpu) as siblings:
                return siblings.read()
        except OSError:
            return str(cpu)
    seen, order = {}, []
    for cpu in sorted(os.sched_getaffinity(0)):
        seen.setdefault(core(cpu), []).append(cpu)
    for place in range(max(len(cpus) for cpus in seen.values())):
        order += [cpus[place] for cpus in seen.values() if place < len(cpus)]
    if threads > len(order):
        raise SystemExit("%d threads on %d CPUs" % (threads, len(order)))
    os.sched_setaffinity(0, order[:threads])


def limit_memory(mebibytes):
    import resource
    if mebibytes:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))


def measure(request):
    """request: library, spec, n, heads, dim, dtype, threads, inputs (folder of q.npy, k.npy, v.npy), arms (files),
    setups {arm: the one to try}, seconds (in turn), look_seconds, memory_mib."""
    pin(request["threads"])
    limit_memory(request["memory_mib"])
    import numpy
    import arms
    import attn
    import patterns
    n, heads, dim, dtype = (request[x] for x in ("n", "heads", "dim", "dtype"))
    q, k, v = (numpy.load(os.path.join(request["inputs"], x + ".npy"))[0] for x in "qkv")
    problem = attn.Problem(attn.load(request["library"]), request["spec"], n, heads, dim, dtype, request["threads"])
    o, lse = numpy.empty_like(q), numpy.empty((heads, n), numpy.float32)
    ours = problem.runner(q, k, v, o, lse)
    tell(event="planned", **{x: getattr(problem, x) for x in ("spec", "spec_resolved", "pattern", "kernel", "isa",
                                                             "pairs_total")})
    ours_ns = timed(ours)
    tolerance = TOLERANCE[dtype]
    reference = Reference(problem, q, k, v)
    tell(event="ours", errors=reference.errors(o, tolerance))
    filled = numpy.isfinite(lse)
    task = arms.Task(patterns.Pattern(problem.spec_resolved), n, heads, dim, dtype, request["threads"], q, k, v)

    looked = {}    # by arm: what is told of it, and its run
    record = None  # the least time of any setup
    for file in request["arms"]:
        arm = arms.load(file)
        tell(event="trying", arm=arm.NAME)
        try:
            version, fastest = str(arm.load()), None
            ways = arm.setups(task)
            only = request["setups"].get(arm.NAME)
            for setup, make in ways.items():
                if only in ways and setup != only:
                    continue
                run, fetch = make(task)
                start = now()
                theirs = run()
                first_ns = now() - start
                theirs = fetch(theirs)
                errors = reference.errors(theirs, tolerance)
                agree(o, theirs, filled, tolerance)
                samples = look(run, first_ns, request["look_seconds"], record)
                record = min(samples) if record is None else min(record, *samples)
                if not fastest or min(samples) < min(fastest[0]):
                    fastest = (samples, setup, run, errors)
                if min(samples) > HOPELESS * record:
                    break
            samples, setup, run, errors = fastest
            looked[arm.NAME] = {"event": "looked", "arm": arm.NAME, "version": version, "setup": setup,
                                "samples": samples, "errors": errors}, run
            tell(**looked[arm.NAME][0])
        except arms.Unsupported as why:
            tell(event="unsupported", arm=arm.NAME, reason=one_line(why))
        except Exception as why:  # whatever a peer raises is a fact about the peer
            tell(event="failed", arm=arm.NAME, reason="%s: %s" % (type(why).__name__, one_line(why)))
    if not looked:
        return
    best, run = decide(list(looked.values()))
    tell(event="trying", arm=best["arm"])
    samples = in_turn(ours, run, min(look(ours, ours_ns, request["look_seconds"])), min(best["samples"]),
                      request["seconds"])
    tell(event="compared", arm=best["arm"], setup=best["setup"], ours=samples[0], theirs=samples[1])


def main():
    global OUT
    OUT = os.fdopen(os.dup(1), "w")  # peers print what they like: to standard error
    os.dup2(2, 1)
    request = json.loads(sys.stdin.read())
    {"probe": probe, "cell": measure}[request["task"]](request)


main()
