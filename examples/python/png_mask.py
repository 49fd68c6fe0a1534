"""A mask drawn as a picture, for attnlab: a black pixel is an allowed pair (row: query, column: key). Needs Pillow.

    python3 png_mask.py
    attnlab analyze 'mask:"rings.png",causal=0' -n 256
    attnlab show local:k=32 -n 256 --png window.png --pixels 256    # the other way: a pixel for every pair
"""
import numpy as np
from PIL import Image

n = 256
i, j = np.indices((n, n))
allowed = np.hypot(i - n / 2, j - n / 2).astype(int) // 16 % 2 == 0
Image.fromarray(np.where(allowed, 0, 255).astype(np.uint8)).save("rings.png")

window = np.asarray(Image.open("rings.png").convert("L")) < 128
print(f"{window.sum()} of {n * n} pairs")
