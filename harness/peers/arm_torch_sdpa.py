"""PyTorch's scaled_dot_product_attention as its manual has it: dense, is_causal, or a boolean mask of all pairs.

The mask is made before timing. SDPA computes the masked scores too: that is its own loss.
"""
from torch_tensors import GET, NEEDS, fetch, load, precisions, tensors

__all__ = ["GET", "NEEDS", "load", "setups"]
NAME = "torch-sdpa"


def boolean_mask(allows, n):
    import torch
    mask, j = torch.empty(n, n, dtype=torch.bool), torch.arange(n)[None, :]
    for first in range(0, n, 1024):  # in slices: the definition's intermediate values are 64 bits wide
        rows = slice(first, min(first + 1024, n))
        mask[rows] = allows(torch.arange(rows.start, rows.stop)[:, None], j)
    return mask


def setups(task):
    from torch.nn.functional import scaled_dot_product_attention as sdpa
    dense, causal = task.pattern.name == "dense", task.pattern.causal

    def maker(widened):
        def make(t):
            q, k, v = tensors(t)
            how = {"is_causal": causal} if dense else {"attn_mask": boolean_mask(t.pattern.allows(), t.n)}
            if widened:
                return (lambda: sdpa(q.float(), k.float(), v.float(), **how).to(q.dtype)), fetch
            return (lambda: sdpa(q, k, v, **how)), fetch
        return make
    word = "mask" if not dense else "is_causal" if causal else "dense"
    return {word + suffix: maker(widened) for suffix, widened in precisions(task).items()}
