"""The patterns by their definitions (docs/DESIGN.md, section 3), for peers that are told which keys a query sees.

Written from the definitions and not from libattn's rows, so that a peer that agrees with libattn confirms both. The
functions use operators only: i and j may be integers, NumPy arrays, or tensors.
"""


class Pattern:
    """A resolved spec, "fixed:l=64,c=8,head=merged,sub=0": name, causal, numbers and words as attributes."""

    def __init__(self, text):
        self.name, _, rest = text.partition(":")
        self.causal = True
        for item in rest.split(",") if rest else []:
            key, _, value = item.partition("=")
            setattr(self, key, int(value) if value.isdigit() else value)
        self.causal = bool(int(self.causal))

    def allows(self):
        """(i, j) -> whether query i sees key j; None: every query sees all keys."""
        definition = DEFINITIONS.get(self.name)
        if definition is None:
            raise KeyError(self.name)
        allowed = definition(self)
        if not self.causal:
            return allowed
        return (lambda i, j: j <= i) if allowed is None else (lambda i, j: (j <= i) & allowed(i, j))

    def summary_columns(self, n):
        """The columns of `fixed` that summarise their blocks, in order."""
        first = self.l - self.c * (self.sub + 1)
        return [j for j in range(n) if first <= j % self.l < first + self.c]


def dense(_):
    return None


def local(p):
    k = p.k
    return lambda i, j: (i - j <= k) & (j - i <= k)


def either(head, parts):
    if head != "merged":
        return parts[head]
    one, other = parts.values()
    return lambda i, j: one(i, j) | other(i, j)


def strided(p):
    l = p.l
    return either(p.head, {"local": lambda i, j: (i - j <= l) & (j - i <= l),
                           "column": lambda i, j: (i - j) % l == 0})


def fixed(p):
    l, first, end = p.l, p.l - p.c * (p.sub + 1), p.l - p.c * p.sub
    return either(p.head, {"block": lambda i, j: i // l == j // l,
                           "summary": lambda i, j: (j % l >= first) & (j % l < end)})


class Masked:
    """A pattern that is known by its mask alone: `mask` is a boolean array [n][n]."""

    def __init__(self, name, causal, mask):
        self.name, self.causal, self.mask, self.tensor = name, causal, mask, None

    def allows(self):
        def allowed(i, j):
            if type(i).__module__.partition(".")[0] != "torch":
                return self.mask[i, j]
            if self.tensor is None:
                import torch
                self.tensor = torch.from_numpy(self.mask)
            return self.tensor[i, j]
        return allowed


DEFINITIONS = {"dense": dense, "local": local, "strided": strided, "fixed": fixed}
