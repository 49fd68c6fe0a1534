"""A block mask written with NumPy, as FlexAttention keeps it, for attnlab.

    python3 block_mask.py
    attnlab run -p 'mask:"checker.kv_num_blocks.npy",block=64' -n 1k --metrics time
"""
import numpy as np

rows, heads = 16, 2  # n = 1024 in blocks of 64; a mask for each head
lists = [[[c for c in range(r + 1) if (r + c + h) % 2 == 0 or c == r] for r in range(rows)] for h in range(heads)]
counts = np.array([[len(row) for row in head] for head in lists], np.int32)
indices = np.zeros((heads, rows, rows), np.int32)
for h, head in enumerate(lists):
    for r, row in enumerate(head):
        indices[h, r, : len(row)] = row
np.save("checker.kv_num_blocks.npy", counts)
np.save("checker.kv_indices.npy", indices)
print(f"{counts.sum()} of {heads * rows * rows} blocks")
