"""What the PyTorch arms share: tensors that are views of the task's buffers, and arrays back from tensors."""
GET = ("pip install numpy, and torch --index-url https://download.pytorch.org/whl/cpu, or apt install python3-torch "
       "(Debian 13 and later); PYTHON= names the interpreter that has it")
NEEDS = ("numpy", "torch")


def load():
    """PyTorch's version; ImportError where it is absent."""
    import numpy  # noqa: F401, the buffers are its arrays
    import torch
    return torch.__version__


def tensors(task):
    """q, k, v as [1][heads][n][dim], on the very same memory."""
    import numpy
    import torch
    torch.set_num_threads(task.threads)
    if task.dtype == "bf16":
        return [torch.from_numpy(x.view(numpy.int16)).view(torch.bfloat16)[None] for x in (task.q, task.k, task.v)]
    return [torch.from_numpy(x)[None] for x in (task.q, task.k, task.v)]


# As /proc/cpuinfo spells them; x86, then Arm.
BF16_ARITHMETIC = {"avx512_bf16", "amx_bf16", "bf16"}


def precisions(task):
    """{suffix of a setup's name: whether the values are widened to f32 first}. Where the CPU has no bf16 arithmetic a
    user would soon find out that PyTorch's is tens of times slower than f32, and widen: that is then part of what is
    timed. Elsewhere both ways are tried."""
    if task.dtype != "bf16":
        return {"": False}
    with open("/proc/cpuinfo") as info:
        able = BF16_ARITHMETIC & set(info.read().split())
    return {", f32 inside": True, "": False} if able else {", f32 inside": True}


def fetch(tensor):
    import numpy
    import torch
    tensor = tensor.detach().reshape(tensor.shape[-3:]).contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(numpy.uint16)
    return tensor.numpy()
