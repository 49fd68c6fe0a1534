"""What is compared: batch 1, 8 heads, noise as input; causal unless the spec says otherwise."""
import fnmatch
import itertools

HEADS = 8

PATTERNS = (
    "dense:causal=0", "dense", "local:k=255", "local:k=127", "strided:l=128,head=column",
    "strided:l=128", "fixed:l=128,c=8,head=block", "fixed:l=128,c=8,head=summary", "fixed:l=128,c=8",
)

# Sizes and patterns beside the trodden path, where a kernel made for the table above might fall off a cliff:
# head dimensions, lengths that no block divides, short sequences, both directions, odd parameters.
EDGES = (
    ("dense", 4096, 80), ("dense", 4096, 96), ("dense", 4096, 128), ("strided:l=128", 4096, 80),
    ("strided:l=128", 4096, 128), ("fixed:l=128,c=8", 4096, 96),
    ("dense", 1000, 64), ("local:k=255", 1000, 64), ("strided:l=128", 1000, 64), ("fixed:l=128,c=8", 1000, 64),
    ("dense", 4099, 64), ("strided:l=128", 4099, 64), ("fixed:l=128,c=8", 4099, 64),
    ("dense", 256, 64), ("local:k=127", 256, 64), ("strided:l=16", 256, 64),
    ("local:k=255,causal=0", 4096, 64), ("strided:l=100", 4096, 64), ("fixed:l=100,c=7", 4096, 64),
)

NAMES = ("set", "spec", "n", "dim", "dtype", "threads")


class Cell:
    def __init__(self, *values):
        self.set, self.spec, self.n, self.dim, self.dtype, self.threads = values

    def __str__(self):
        return "%s n=%d d=%d %s, %d thread%s" % (self.spec, self.n, self.dim, self.dtype, self.threads,
                                                 "" if self.threads == 1 else "s")

    def key(self):
        return self.spec, self.n, self.dim, self.dtype, self.threads


def all_cells():
    """In the order of measuring: short ones first, whose results say what need not be tried at greater length."""
    main = [Cell("main", spec, n, 64, dtype, threads) for n, dtype, threads, spec
            in itertools.product((4096, 16384), ("f32", "bf16"), (1, 2), PATTERNS)]
    edge = [Cell("edge", spec, n, dim, dtype, threads) for (spec, n, dim), dtype, threads
            in itertools.product(EDGES, ("f32", "bf16"), (1, 2))]
    return sorted(main + edge, key=lambda cell: cell.n)


def select(filters):
    """The cells that satisfy all "NAME=PATTERN,PATTERN..." (shell patterns; in `spec` a comma is a comma). Where `n`
    or `dim` name a size that no cell has, the main set is taken at it."""
    cells, wanted = all_cells(), {}
    for text in filters:
        name, _, value = text.partition("=")
        if name not in NAMES or not value:
            raise ValueError("--only %s: write NAME=VALUE with one of %s" % (text, ", ".join(NAMES)))
        wanted.setdefault(name, []).extend([value] if name == "spec" else value.split(","))
    for name in ("n", "dim"):
        for size in {int(x) for x in wanted.get(name, []) if x.isdigit()} - {getattr(c, name) for c in cells}:
            base = [c for c in cells if c.set == "main" and c.n == 4096]
            cells += [Cell("main", c.spec, size if name == "n" else c.n, size if name == "dim" else c.dim, c.dtype,
                           c.threads) for c in base]
    return [c for c in cells if all(any(fnmatch.fnmatchcase(str(getattr(c, name)), value) for value in values)
                                    for name, values in wanted.items())]
