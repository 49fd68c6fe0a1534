"""libattn from Python: as much of its C API as a comparison needs (include/attn/), through ctypes."""
import ctypes
from ctypes import POINTER, byref, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_size_t, c_uint64, c_void_p

import numpy

DTYPES = {"f32": 0, "bf16": 1, "f16": 2}  # attn_dtype


class Failure(Exception):
    """A message of libattn's, one line."""


class Message(ctypes.Structure):  # attn_error
    _fields_ = [("message", c_char * 512)]


class ProblemStruct(ctypes.Structure):  # attn_problem
    _fields_ = [("layout", c_void_p), ("batch", c_size_t), ("kv_heads", c_size_t), ("dim", c_size_t),
                ("dtype", c_int), ("scale", c_float), ("threads", c_int), ("kernel", c_char_p),
                ("rest", c_char * 256)]  # zero is the default of whatever else there is


FUNCTIONS = {
    "attn_spec_parse": (c_int, [POINTER(c_void_p), c_char_p, POINTER(Message)]),
    "attn_spec_destroy": (None, [c_void_p]),
    "attn_spec_text": (c_char_p, [c_void_p]),
    "attn_spec_pattern": (POINTER(c_char_p), [c_void_p]),  # the name is the first member
    "attn_layout_create": (c_int, [POINTER(c_void_p), c_void_p, c_size_t, c_size_t, c_size_t, POINTER(Message)]),
    "attn_layout_destroy": (None, [c_void_p]),
    "attn_layout_text": (c_char_p, [c_void_p]),
    "attn_layout_causal": (c_bool, [c_void_p]),
    "attn_layout_pairs_all_heads": (c_uint64, [c_void_p]),
    "attn_plan_create": (c_int, [POINTER(c_void_p), POINTER(ProblemStruct), POINTER(Message)]),
    "attn_plan_destroy": (None, [c_void_p]),
    "attn_plan_run": (None, [c_void_p] * 6),
    "attn_plan_kernel": (c_char_p, [c_void_p]),
    "attn_plan_isa": (c_char_p, [c_void_p]),
    "attn_oracle_row": (None, [c_void_p, c_size_t, c_size_t, c_size_t, c_double] + [c_void_p] * 6),
}


def load(path):
    library = ctypes.CDLL(path)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def pointer(array):
    assert array.flags.c_contiguous
    return array.ctypes.data


class Problem:
    """A spec at given sizes (batch 1, as many kv heads as heads), planned; kernel None is the planner's choice."""

    def __init__(self, library, spec, n, heads, dim, dtype, threads, kernel=None):
        self.library, self.n, self.heads, self.dim = library, n, heads, dim
        self.spec_handle, self.layout, self.plan = c_void_p(), c_void_p(), c_void_p()
        error = Message()

        def check(status):
            if status:
                self.close()
                raise Failure(error.message.decode())

        check(library.attn_spec_parse(byref(self.spec_handle), spec.encode(), byref(error)))
        check(library.attn_layout_create(byref(self.layout), self.spec_handle, n, n, heads, byref(error)))
        problem = ProblemStruct(layout=self.layout, batch=1, kv_heads=heads, dim=dim, dtype=DTYPES[dtype],
                                threads=threads, kernel=kernel.encode() if kernel else None)
        check(library.attn_plan_create(byref(self.plan), byref(problem), byref(error)))
        self.spec = library.attn_spec_text(self.spec_handle).decode()
        self.pattern = library.attn_spec_pattern(self.spec_handle)[0].decode()
        self.spec_resolved = library.attn_layout_text(self.layout).decode()
        self.causal = library.attn_layout_causal(self.layout)
        self.pairs_total = library.attn_layout_pairs_all_heads(self.layout)
        self.kernel = library.attn_plan_kernel(self.plan).decode()
        self.isa = library.attn_plan_isa(self.plan).decode()

    def close(self):
        self.library.attn_plan_destroy(self.plan)
        self.library.attn_layout_destroy(self.layout)
        self.library.attn_spec_destroy(self.spec_handle)
        self.plan = self.layout = self.spec_handle = None

    def runner(self, q, k, v, o, lse):
        """A function that runs the plan on these arrays, which it keeps alive."""
        run, plan = self.library.attn_plan_run, self.plan
        arrays = (q, k, v, o, lse)
        addresses = [pointer(x) for x in arrays]

        def call():
            run(plan, *addresses)
            return arrays[3]
        return call

    def oracle(self, head, row, q, k, v):
        """o[dim] of one row by the definition, in fp64; q [n][dim], k, v [n][dim] are the head's own, fp64."""
        scores, o, lse = numpy.empty(self.n), numpy.empty(self.dim), numpy.empty(1)
        query = numpy.ascontiguousarray(q[row])
        self.library.attn_oracle_row(self.layout, head, row, self.dim, 1.0 / self.dim ** 0.5, pointer(query),
                                     pointer(k), pointer(v), pointer(scores), pointer(o), pointer(lse))
        return o
