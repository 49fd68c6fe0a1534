"""A pattern of attnlab as the block mask of PyTorch's FlexAttention, exactly: whole blocks, and a mask for the others.

    python3 flex_mask.py                    (needs torch 2.5 or later)
"""
import subprocess
import numpy as np
import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention

n, block, spec = 1024, 128, "fixed:l=256,c=32"
subprocess.run(["attnlab", "show", spec, "-n", str(n), "--flex", "fixed", "--block", str(block), "--npy", "fixed.npy"], check=True)
partial, which, full, which_full = (torch.from_numpy(np.load(f"fixed.{name}.npy")) for name in (
    "kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices"))
allowed = torch.from_numpy(np.load("fixed.npy"))
mask = BlockMask.from_kv_blocks(partial, which, full, which_full, BLOCK_SIZE=block, mask_mod=lambda b, h, i, j: allowed[i, j])
q, k, v = (torch.randn(1, 4, n, 64) for _ in range(3))
print(flex_attention(q, k, v, block_mask=mask).shape)
