"""A block-sparse matrix of SciPy as a mask for attnlab: BSR, rows and columns are blocks. Needs SciPy.

    python3 bsr_mask.py
    attnlab run -p 'mask:"blocks.indptr.npy",block=32' -n 1k --metrics time
"""
import numpy as np
from scipy.sparse import bsr_array

block, rows = 32, 32  # n = 1024
chosen = np.tri(rows, dtype=bool) & (np.random.default_rng(1).random((rows, rows)) < 0.3) | np.eye(rows, dtype=bool)
matrix = bsr_array(np.kron(chosen, np.ones((block, block))), blocksize=(block, block))
np.save("blocks.indptr.npy", matrix.indptr)
np.save("blocks.indices.npy", matrix.indices)
print(f"{matrix.indices.size} of {rows * rows} blocks")
