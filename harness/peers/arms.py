"""Arms: the other side of a comparison, each a small module of its own.

An arm is a Python file with

    NAME               "torch-sdpa"; the store calls it "ext:torch-sdpa"
    GET                how to get what it needs, for people who lack it
    NEEDS              modules it imports, so that one can tell whether it is here without importing them
    load()             -> version as text; raises ImportError where it is absent
    setups(problem)    -> {name: make}: the ways it can compute this problem; raises Unsupported where none can
    make(problem)      -> (run, fetch): run() computes o once and returns it in the peer's own form, fetch(that)
                          gives an array [heads][n][dim] of float32, of float16, or of uint16 holding the bits of bf16

All that a user would prepare once (masks, compiled code, models) belongs into make(); all that depends on the values
of q, k and v belongs into run().
"""
import importlib.util
import os

HERE = os.path.dirname(os.path.abspath(__file__))


class Unsupported(Exception):
    """This arm has no way to compute this problem, and why."""


class Task:
    """What an arm is given: sizes, the pattern's definition, and the operands, in memory shared with attnlab."""

    def __init__(self, pattern, n, heads, dim, dtype, threads, q, k, v):
        self.pattern, self.n, self.heads, self.dim = pattern, n, heads, dim
        self.dtype, self.threads = dtype, threads
        self.q, self.k, self.v = q, k, v  # [heads][n][dim], float32, float16 or uint16 (the bits of bf16)


def load(name):
    """The module of a standard arm by name, or of any other by the path of its file."""
    path = name if name.endswith(".py") else os.path.join(HERE, "arm_" + name.replace("-", "_") + ".py")
    found = importlib.util.spec_from_file_location("arm_" + os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
