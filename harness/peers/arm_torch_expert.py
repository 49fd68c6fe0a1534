"""The sparse patterns as a skilled PyTorch user writes them: no new kernel, only scaled_dot_product_attention on views
that leave little but allowed pairs, unions joined by log-sum-exp.

    window     chunks of s rows against the keys around them, under one banded mask; first and last rows apart
    column     rows of one residue class mod l are a dense problem of n/l rows: views with another stride
    block      dense problems of l rows
    summary    the summary columns gathered; rows in bands, each against the columns that begin before its end
    unions     both parts, o = o1 + sigmoid(lse2 - lse1) (o2 - o1); the parts made disjoint: the column part skips
               the two keys its window has (key t - 2 and before, in the residue class: is_causal on shifted views),
               the summary part the row's own block

Views are never copied: q, k, v, o are addressed by strides. Chunk and band counts are tried in several sizes. What is
timed includes gathering, joining and writing o; masks and index lists are made before.
"""
from arms import Unsupported
from torch_tensors import GET, NEEDS, fetch, load, precisions, tensors

__all__ = ["GET", "NEEDS", "load", "setups"]
NAME = "torch-expert"
CHUNKS = (64, 128, 256)
BANDS = (1, 4, 16)


def rows(t, first, outer, outer_step, inner, inner_step=1):
    """[heads][outer][inner][dim]: row first + x*outer_step + y*inner_step of each head; t is [1][heads][n][dim]."""
    _, heads, n, dim = t.shape
    return t.as_strided((heads, outer, inner, dim), (n * dim, outer_step * dim, inner_step * dim, 1), first * dim)


def lse_rows(t, first, outer, outer_step, inner, inner_step=1):
    """The same of [heads][n]: [heads][outer][inner]."""
    heads, n = t.shape
    return t.as_strided((heads, outer, inner), (n, outer_step, inner_step), first)


class Piece:
    """One call of SDPA: `queries` and `keys` are arguments of rows(); `columns` gathers keys instead; `allowed` is a
    boolean mask."""

    def __init__(self, queries, keys=None, allowed=None, causal=False, columns=None):
        self.queries, self.keys, self.allowed, self.causal, self.columns = queries, keys, allowed, causal, columns
        self.mask = None


class Plan:
    """Pieces that cover the rows of o once (`first`), and pieces joined to them (`second`)."""

    def __init__(self, task, first, second, widened):
        import torch
        self.given = tensors(task)
        self.task, self.first, self.second, self.widened = task, first, second, widened
        dtype = torch.float32 if widened else self.given[0].dtype
        for piece in [*first, *second]:
            piece.mask = None if piece.allowed is None else masked(piece.allowed, dtype)
        self.gathers = next((p.columns.union for p in [*first, *second] if p.columns), None)

    def attend(self, piece, tensors, gathered):
        import torch
        q, k, v = tensors
        q = rows(q, *piece.queries)
        if piece.columns:
            k, v = (x[:, :, :piece.columns.count].transpose(0, 1) for x in gathered)
        else:
            k, v = rows(k, *piece.keys), rows(v, *piece.keys)
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, piece.causal, attn_mask=piece.mask)[:2]

    def __call__(self):
        import torch
        t = self.task
        qkv = [x.float() for x in self.given] if self.widened else self.given
        gathered = None if self.gathers is None else [x.index_select(2, self.gathers) for x in qkv[1:]]
        o = torch.empty_like(qkv[0])
        lse = torch.empty(t.heads, t.n, dtype=torch.float32) if self.second else None
        for piece in self.first:
            part, sums = self.attend(piece, qkv, gathered)
            rows(o, *piece.queries).copy_(part)
            if lse is not None:
                lse_rows(lse, *piece.queries).copy_(sums)
        for piece in self.second:
            part, sums = self.attend(piece, qkv, gathered)
            weight = torch.sigmoid(sums - lse_rows(lse, *piece.queries)).to(o.dtype).unsqueeze(-1)
            rows(o, *piece.queries).lerp_(part, weight)
        covered = sum(p.queries[1] * p.queries[3] for p in self.first)
        if covered < t.n:  # rows that see nothing come first
            o[:, :, :t.n - covered].zero_()
        return o.to(self.given[0].dtype)


class Columns:
    """The first `count` of the gathered columns `union`."""

    def __init__(self, union, count):
        self.union, self.count = union, count


def masked(allowed, dtype):
    """A boolean matrix as SDPA adds it to the scores."""
    import torch
    return torch.zeros(allowed.shape, dtype=dtype).masked_fill_(~allowed, -float("inf"))[None, None]


def window(task, k, chunk):
    """|i - j| <= k, causal or not."""
    import torch
    n, after = task.n, 0 if task.pattern.causal else k
    k = min(k, n - 1)
    after = min(after, n - 1)
    begin = -(-k // chunk)             # the first chunk whose keys all exist,
    end = max((n - after) // chunk, 0)  # and the first whose do not

    def band(first_row, count, first_key, keys):
        i = torch.arange(first_row, first_row + count)[:, None]
        j = torch.arange(first_key, first_key + keys)[None, :]
        return (i - j <= k) & (j - i <= after)

    def edge(first, last):  # rows [first, last) and their keys
        key, beyond = max(first - k, 0), min(last + after, n)
        return Piece((first, 1, last - first, last - first), (key, 1, beyond - key, beyond - key),
                     band(first, last - first, key, beyond - key))
    if end <= begin:
        return [edge(first, min(first + chunk, n)) for first in range(0, n, chunk)]
    span = k + chunk + after
    pieces = [Piece((begin * chunk, end - begin, chunk, chunk), (begin * chunk - k, end - begin, chunk, span),
                    band(k, chunk, 0, span))]
    if begin:
        pieces.append(edge(0, begin * chunk))
    if end * chunk < n:
        pieces.append(edge(end * chunk, n))
    return pieces


def column(task, l, skip):
    """Residue classes mod l; each row sees the rows of its class, less the `skip` last ones (itself included)."""
    n, pieces = task.n, []
    for first, classes, length in ((0, n % l, n // l + 1), (n % l, l - n % l, n // l)):
        if classes and length > skip:
            pieces.append(Piece((first + skip * l, classes, 1, length - skip, l), (first, classes, 1, length - skip, l),
                                causal=task.pattern.causal))
    return pieces


def block(task, l):
    n, causal = task.n, task.pattern.causal
    pieces = []
    if n >= l:
        pieces.append(Piece((0, n // l, l, l), (0, n // l, l, l), causal=causal))
    if n % l:
        tail = (n - n % l, 1, n % l, n % l)
        pieces.append(Piece(tail, tail, causal=causal))
    return pieces


def summary(task, p, bands, own_block):
    """Rows against the summary columns before them; without own_block only those of earlier blocks."""
    import torch
    n, l = task.n, p.l
    columns = torch.tensor(p.summary_columns(n), dtype=torch.int64)
    if not task.pattern.causal:
        raise Unsupported("not written for bidirectional summaries")
    first_row = (int(columns[0]) if own_block else l) if len(columns) else n
    blocks = -(-n // l)
    edges = sorted({min(max(blocks * b // bands * l, first_row), n) for b in range(bands)} | {first_row, n})
    pieces = []
    for begin, end in zip(edges, edges[1:]):
        i = torch.arange(begin, end)[:, None]
        limit = i + 1 if own_block else i // l * l
        count = int((columns < limit.max()).sum())
        pieces.append(Piece((begin, 1, end - begin, end - begin), allowed=columns[None, :count] < limit,
                            columns=Columns(columns, count)))
    return pieces


def setups(task):
    p = task.pattern

    def plan(first, second=lambda t, size: (), sizes=(0,), word=""):
        def maker(size, widened):
            return lambda t: (Plan(t, first(t, size), list(second(t, size)), widened), fetch)
        return {("%s %d" % (word, size) if size else "views") + suffix: maker(size, widened) for size in sizes
                for suffix, widened in precisions(task).items()}
    if p.name == "local":
        return plan(lambda t, s: window(t, p.k, s), sizes=CHUNKS, word="chunk")
    if p.name == "strided" and p.head == "local":
        return plan(lambda t, s: window(t, p.l, s), sizes=CHUNKS, word="chunk")
    if p.name == "strided" and p.head == "column":
        return plan(lambda t, _: column(t, p.l, 0))
    if p.name == "strided" and p.causal:
        return plan(lambda t, s: window(t, p.l, s), lambda t, _: column(t, p.l, 2), sizes=CHUNKS, word="chunk")
    if p.name == "fixed" and p.head == "block":
        return plan(lambda t, _: block(t, p.l))
    if p.name == "fixed" and p.causal and p.head == "summary":
        return plan(lambda t, s: summary(t, p, s, True), sizes=BANDS, word="bands")
    if p.name == "fixed" and p.causal:
        return plan(lambda t, _: block(t, p.l), lambda t, s: summary(t, p, s, False), sizes=BANDS, word="bands")
    if p.name == "dense":
        raise Unsupported("dense attention is what torch-sdpa computes")
    raise Unsupported("not written for this pattern")
