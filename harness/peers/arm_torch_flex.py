"""PyTorch's FlexAttention through torch.compile; block masks and compilation come before timing.

Blocks of the mask in which no pair is allowed are skipped, so their size decides how much masked work is done: two
sizes are tried.
"""
from torch_tensors import GET, NEEDS, fetch, load, precisions, tensors

__all__ = ["GET", "NEEDS", "load", "setups"]
NAME = "torch-flex"
BLOCKS = (128, 32)


def setups(task):
    import torch
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention
    allows = task.pattern.allows()

    def maker(block, widened):
        def make(t):
            q, k, v = tensors(t)
            torch._dynamo.reset()
            compiled, how = torch.compile(flex_attention, dynamic=False), {}
            if allows is not None:
                how["block_mask"] = create_block_mask(lambda b, h, i, j: allows(i, j), None, None, t.n, t.n,
                                                      device="cpu", BLOCK_SIZE=(block, block))

            def run():
                if widened:
                    return compiled(q.float(), k.float(), v.float(), **how).to(q.dtype)
                return compiled(q, k, v, **how)
            run()
            return run, fetch
        return make
    return {"block %d%s" % (block, suffix): maker(block, widened)
            for block in (BLOCKS[:1] if allows is None else BLOCKS)
            for suffix, widened in precisions(task).items()}
