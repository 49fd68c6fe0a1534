"""ONNX Runtime's MultiHeadAttention (com.microsoft), for dense attention.

The model is one node, written here as ONNX's protocol buffer, so that no other package is needed. The operator takes
queries as [batch][n][heads*dim] and keys and values as [batch][heads][n][dim], and gives o like the queries: q is
put in that order before timing, o is reordered for the check only.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention
"""
from arms import Unsupported

NAME = "onnxruntime-mha"
GET = ("pip install numpy onnxruntime, or apt install python3-onnxruntime (Debian 13 and later); PYTHON= names the "
       "interpreter that has it")
NEEDS = ("numpy", "onnxruntime")


def load():
    import numpy  # noqa: F401, the buffers are its arrays
    import onnxruntime
    return onnxruntime.__version__


# ---- protocol buffers: a field is its number and wire type, then a varint or a length and bytes ----

def varint(x):
    out = bytearray()
    while x > 0x7F:
        out.append(x & 0x7F | 0x80)
        x >>= 7
    out.append(x)
    return bytes(out)


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def attribute(name, value):  # AttributeProto: name, i, type INT
    return field(1, name) + field(3, value) + field(20, 2)


def value_info(name, shape):  # ValueInfoProto: name, type { tensor_type { FLOAT, shape } }
    dims = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def model(heads, n, dim, causal):
    node = b"".join(field(1, x) for x in "qkv") + field(2, "o") + field(4, "MultiHeadAttention")
    node += field(5, attribute("num_heads", heads)) + field(5, attribute("unidirectional", int(causal)))
    node += field(7, "com.microsoft")
    graph = field(1, node) + field(2, "attention")
    for name, shape in (("q", (1, n, heads * dim)), ("k", (1, heads, n, dim)), ("v", (1, heads, n, dim))):
        graph += field(11, value_info(name, shape))
    graph += field(12, value_info("o", (1, n, heads * dim)))
    versions = field(8, field(1, "") + field(2, 17)) + field(8, field(1, "com.microsoft") + field(2, 1))
    return field(1, 8) + field(7, graph) + versions  # ModelProto: ir_version, graph, opset_import


def setups(task):
    import numpy
    import onnxruntime
    if task.pattern.name != "dense":
        raise Unsupported("the operator computes dense attention")
    if task.dtype != "f32":
        raise Unsupported("the CPU operator takes f32")

    def make(t):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = t.threads, 1
        session = onnxruntime.InferenceSession(model(t.heads, t.n, t.dim, t.pattern.causal), options,
                                               providers=["CPUExecutionProvider"])
        shape = (1, t.n, t.heads * t.dim)
        inputs = {"q": numpy.ascontiguousarray(t.q.transpose(1, 0, 2)).reshape(shape), "k": t.k[None],
                  "v": t.v[None]}

        def fetch(o):
            return numpy.ascontiguousarray(o.reshape(t.n, t.heads, t.dim).transpose(1, 0, 2))
        return (lambda: session.run(None, inputs)[0]), fetch
    return {"MultiHeadAttention": make}
