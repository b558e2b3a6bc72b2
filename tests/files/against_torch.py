"""against_torch.py LIBRARY -- torch.load reads files of the library, and the library reads files of
torch and safetensors. Exits with 77, which is a skip, where there is no torch."""
import ctypes
import os
import pathlib
import sys
import tempfile

try:
    import torch
except ImportError:
    print(f"skipped: {sys.executable} has no torch; tools/setup.sh --python-torch makes one that has")
    sys.exit(77)
try:
    from safetensors.torch import save_file
except ImportError:
    save_file = None

os.environ.update(RT_TORCH_BACKEND="reference", RT_TORCH_DEVICE="cpu")
rt = ctypes.CDLL(sys.argv[1])
i64, text = ctypes.c_int64, ctypes.c_char_p
for name, result, arguments in (
        ("rt_torch_last_error", text, []),
        ("rt_torch_tensor_save", None, [i64, text]),
        ("rt_torch_tensor_load", i64, [text]),
        ("rt_torch_safetensors_open", i64, [text]),
        ("rt_torch_safetensors_get_tensor", i64, [i64, text]),
        ("rt_torch_safetensors_list_names", text, [i64]),
        ("rt_torch_torchtensor_dtype", i64, [i64]),
        ("rt_torch_torchtensor_shape", i64, [i64, ctypes.POINTER(i64), i64]),
        ("rt_torch_copy_data", i64, [i64, ctypes.c_void_p, i64, i64])):
    function = getattr(rt, name)
    function.restype, function.argtypes = result, arguments

DTYPES = [torch.float32, torch.float64, torch.int32, torch.int64, torch.bool, torch.float16,
          torch.bfloat16]


def checked(handle):
    assert handle > 0, rt.rt_torch_last_error().decode()
    return handle


def read(handle):
    """Copies a tensor of the library into one of torch."""
    sizes = (i64 * 64)()
    shape = list(sizes[:rt.rt_torch_torchtensor_shape(handle, sizes, 64)])
    code = rt.rt_torch_torchtensor_dtype(handle)
    tensor = torch.empty(shape, dtype=DTYPES[code])
    count = rt.rt_torch_copy_data(handle, tensor.data_ptr(), tensor.numel(), code)
    assert count == tensor.numel(), rt.rt_torch_last_error().decode()
    return tensor


def same(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape, (a, b)
    assert torch.equal(a, b), (a, b)


def samples():
    torch.manual_seed(1)
    for dtype in DTYPES:
        for shape in ((), (5,), (3, 4), (2, 0, 3), (1, 2, 3, 4)):
            yield (torch.randn(shape) * 3).to(dtype)
        yield (torch.randn(6, 5) * 3).to(dtype).t()[1:4, ::2]
        yield (torch.randn(3, 1) * 3).to(dtype).expand(3, 4)
        if dtype != torch.bool:
            yield torch._neg_view((torch.randn(3, 4) * 3).to(dtype)).t()
    for values in (torch.nn.Parameter(torch.randn(2, 2)), torch.nn.Buffer(torch.randn(2, 2)),
                   torch.randn(300, 300)):
        yield values
        values.note = {"text": ["hi", 1.5, None], "tensor": torch.ones(2)}
        yield values


# Types that the library widens.
WIDER = {torch.uint8: torch.int32, torch.int8: torch.int32, torch.int16: torch.int32,
         torch.uint16: torch.int32, torch.uint32: torch.int64}


with tempfile.TemporaryDirectory() as folder:
    theirs, ours = (str(pathlib.Path(folder) / name) for name in ("theirs.pt", "ours.pt"))
    for dtype, wider in WIDER.items():
        tensor = torch.tensor([0, 1, torch.iinfo(dtype).max, torch.iinfo(dtype).min],
                              dtype=torch.int64).to(dtype)
        torch.save(tensor, theirs)
        same(read(checked(rt.rt_torch_tensor_load(theirs.encode()))), tensor.to(wider))
    for i, tensor in enumerate(samples()):
        torch.save(tensor, theirs, pickle_protocol=2 + i % 4)
        handle = checked(rt.rt_torch_tensor_load(theirs.encode()))
        same(read(handle), tensor.detach().resolve_neg())
        rt.rt_torch_tensor_save(handle, ours.encode())
        for mapped in (False, True):
            same(torch.load(ours, weights_only=True, mmap=mapped), tensor.detach().resolve_neg())
    if save_file:
        named = {str(i): t.detach().resolve_neg().contiguous().clone() for i, t in enumerate(samples())}
        save_file(named, folder + "/all.safetensors")
        file = checked(rt.rt_torch_safetensors_open((folder + "/all.safetensors").encode()))
        assert set(rt.rt_torch_safetensors_list_names(file).decode().split("\n")) == set(named)
        for name, tensor in named.items():
            handle = checked(rt.rt_torch_safetensors_get_tensor(file, name.encode()))
            half = tensor.dtype in (torch.float16, torch.bfloat16)
            same(read(handle), tensor.float() if half else tensor)
assert rt.rt_torch_last_error() == b"", rt.rt_torch_last_error()
