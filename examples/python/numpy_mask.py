"""A mask made with NumPy, for attnlab; and one of attnlab's, for NumPy.

    python3 numpy_mask.py
    attnlab show 'mask:"ring.npy"' -n 64
"""
import subprocess
import numpy as np

n = 64
i, j = np.indices((n, n))
ring = (j <= i) & (((i - j) % 16 < 4) | (np.abs(i - j) < 8))  # any rule at all
np.save("ring.npy", ring)

subprocess.run(["attnlab", "show", "strided:l=8", "-n", str(n), "--npy", "strided.npy"], check=True)
strided = np.load("strided.npy")
print(f"ring: {ring.sum()} pairs; strided:l=8: {strided.sum()} pairs; both: {(ring & strided).sum()}")
