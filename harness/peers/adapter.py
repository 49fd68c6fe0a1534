"""An arm (arms.py) as an external kernel of attnlab: JSON lines on standard input and output, docs/EXTERNAL.md.

    attnlab run --kernel ext:torch-sdpa ...                              the arms that are here have a name already
    attnlab run --kernel ext:mine --ext mine="python3 adapter.py mine.py" ...   and any other is a file

Where an arm knows several ways to compute a problem, each is tried for a moment and the fastest is taken; a second argument names
the one to take.
"""
import gc
import importlib.util
import json
import os
import sys
import time

import arms
import patterns

PROTOCOL = 1
LONG_NS = 1e9     # a first run longer than this is as good as a second
HOPELESS = 3.0    # this many times slower than the fastest so far ends the search


def now():
    return time.perf_counter_ns()


def one_line(error):
    return (" ".join(str(error).split()) or type(error).__name__)[:250]


class Adapter:
    def __init__(self, arm, way=None):
        self.arm, self.way, self.run, self.o = arm, way, None, None

    def hello(self, request):
        if request["protocol"] != PROTOCOL:
            return {"ok": False, "error": "this adapter speaks protocol %d" % PROTOCOL}
        needs = getattr(self.arm, "NEEDS", None)
        try:
            if request.get("probe") and needs:
                for module in needs:
                    if importlib.util.find_spec(module) is None:
                        raise ImportError("no module named %s" % module)
                version = ""
            else:
                version = str(self.arm.load())
        except Exception as absent:  # a broken installation raises anything
            return {"ok": False, "error": one_line(absent), "get": self.arm.GET}
        return {"ok": True, "protocol": PROTOCOL, "version": version}

    def prepare(self, request):
        import numpy
        if request["kv_heads"] != request["heads"]:
            return {"ok": False, "error": "not written for grouped key and value heads"}
        name = request["pattern"]
        if name in patterns.DEFINITIONS:
            pattern = patterns.Pattern(request["spec"])
        elif "mask" not in request:
            return {"ok": False, "want": "mask"}
        else:
            mask = numpy.load(request["mask"]["file"])
            if len(mask) > 1:
                return {"ok": False, "error": "not written for patterns that differ between heads"}
            pattern = patterns.Masked(name, request["causal"], mask[0])
        n, dim, heads = request["n"], request["dim"], request["batch"] * request["heads"]
        q, k, v = (numpy.load(request[x]["file"], mmap_mode="c").reshape(heads, n, dim) for x in "qkv")
        self.o = request["o"]["file"]
        task = arms.Task(pattern, n, heads, dim, request["dtype"], request["threads"], q, k, v)
        try:
            ways = self.arm.setups(task)
            if self.way is not None and self.way not in ways:
                raise arms.Unsupported('it has no way "%s", only "%s"' % (self.way, '", "'.join(ways)))
            setup, self.run, self.fetch = self.fastest(ways if self.way is None else {self.way: ways[self.way]}, task)
        except arms.Unsupported as why:
            return {"ok": False, "error": one_line(why)}
        return {"ok": True, "setup": setup}

    @staticmethod
    def fastest(ways, task):
        best = None
        for setup, make in ways.items():
            run, fetch = make(task)
            begin = now()
            run()
            took = now() - begin
            for _ in range(3 if took < LONG_NS and len(ways) > 1 else 0):
                begin = now()
                run()
                took = min(took, now() - begin)
            if best is None or took < best[0]:
                best = took, setup, run, fetch
            elif took > HOPELESS * best[0]:
                break
        return best[1:]

    def timed(self, request):
        run = self.run
        gc.collect()
        gc.disable()
        begin = now()
        for _ in range(request["count"]):
            o = run()
        ns = now() - begin
        gc.enable()
        if request["write"]:
            import numpy
            target = numpy.load(self.o, mmap_mode="r+")
            target[...] = self.fetch(o).reshape(target.shape)
        return {"ok": True, "ns": ns}

    def answer(self, request):
        handler = {"hello": self.hello, "prepare": self.prepare, "run": self.timed}[request["request"]]
        try:
            return handler(request)
        except Exception as why:  # whatever a library raises is a fact about the library
            return {"ok": False, "error": "%s: %s" % (type(why).__name__, one_line(why))}


def main():
    out = os.fdopen(os.dup(1), "w")  # libraries print what they like: to standard error
    os.dup2(2, 1)
    adapter = Adapter(arms.load(sys.argv[1]), *sys.argv[2:3])
    for line in sys.stdin:
        out.write(json.dumps(adapter.answer(json.loads(line))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
