"""Attention as the formula reads, in NumPy: no rival, but an arm that runs wherever the driver does."""
from arms import Unsupported

NAME = "numpy-plain"
GET = "apt install python3-numpy"
NEEDS = ("numpy",)
MOST_PAIRS = 1 << 24  # of one head: its scores are held at once


def load():
    import numpy
    return numpy.__version__


def widen(x):
    import numpy
    if x.dtype == numpy.uint16:
        return (x.astype(numpy.uint32) << 16).view(numpy.float32)
    return x.astype(numpy.float32, copy=False)


def narrow(x):
    """float32 to the bits of bf16, to nearest, ties to even."""
    import numpy
    bits = x.view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def setups(task):
    import numpy
    if task.n * task.n > MOST_PAIRS:
        raise Unsupported("all scores at once would take %d MiB" % (task.n * task.n >> 18))

    def make(t):
        q, k, v = (widen(x) for x in (t.q, t.k, t.v))
        allows, at = t.pattern.allows(), numpy.arange(t.n)
        hidden = None if allows is None else ~allows(at[:, None], at[None, :])

        def run():
            o = numpy.empty_like(q)
            for h in range(t.heads):
                s = q[h] @ k[h].T / numpy.float32(t.dim ** 0.5)
                if hidden is not None:
                    s[hidden] = -numpy.inf
                top = s.max(axis=1, keepdims=True)
                p = numpy.exp(s - numpy.where(numpy.isfinite(top), top, 0))
                total = p.sum(axis=1, keepdims=True)
                o[h] = p @ v[h] / numpy.where(total > 0, total, 1)
            return narrow(o) if t.dtype == "bf16" else o.astype(t.q.dtype, copy=False)
        return run, lambda o: o
    return {"plain": make}
