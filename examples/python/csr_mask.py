"""Sparse matrices: the CSR arrays that SciPy calls indptr and indices, from attnlab and back.

    python3 csr_mask.py
    attnlab analyze 'mask:"half.indptr.npy"' -n 512
"""
import subprocess
import numpy as np

n = 512
subprocess.run(["attnlab", "show", "fixed:l=64,c=8", "-n", str(n), "--csr", "fixed"], check=True)
indptr, indices = np.load("fixed.indptr.npy"), np.load("fixed.indices.npy")
# With SciPy: scipy.sparse.csr_array((np.ones(len(indices), bool), indices, indptr), shape=(n, n))

keep = [row[::2] for row in np.split(indices, indptr[1:-1])]  # every second key of each row
np.save("half.indptr.npy", np.cumsum([0] + [len(row) for row in keep]))
np.save("half.indices.npy", np.concatenate(keep).astype(np.int32))
print(f"{indptr[-1]} pairs, {sum(map(len, keep))} kept")
