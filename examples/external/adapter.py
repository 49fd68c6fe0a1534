"""The smallest adapter: dense attention in NumPy as an external kernel of attnlab (docs/EXTERNAL.md).

    attnlab run --kernel ext:small --ext small="python3 adapter.py" -p dense -n 1k
"""
import json
import sys
import time

import numpy as np

for line in sys.stdin:
    r, reply = json.loads(line), {"ok": True}
    if r["request"] == "hello":
        reply.update(protocol=1, version="numpy " + np.__version__)
    elif r["request"] == "prepare":
        if r["pattern"] != "dense" or r["dtype"] != "f32" or r["kv_heads"] != r["heads"]:
            reply = {"ok": False, "error": "only dense attention in f32"}
        q, k, v = (np.load(r[x]["file"], mmap_mode="r") for x in "qkv")
        target, scale = r["o"]["file"], np.float32(r["scale"])
        hidden = np.where(np.tri(r["n"], dtype=bool) if r["causal"] else True, 0, -np.inf).astype(np.float32)
    else:
        begin = time.perf_counter_ns()
        for _ in range(r["count"]):
            s = q @ k.swapaxes(2, 3) * scale + hidden
            p = np.exp(s - s.max(axis=3, keepdims=True))
            o = p @ v / p.sum(axis=3, keepdims=True)
        reply["ns"] = time.perf_counter_ns() - begin
        if r["write"]:
            np.save(target, o)
    print(json.dumps(reply), flush=True)
