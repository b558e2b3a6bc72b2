"""fixtures.py -- writes the files of ../data by PyTorch in Python and C++ and by safetensors, and
extracts their pickles for the fuzzer. Needs torch 2.11 with its C++ headers, safetensors and g++;
the tests need none of them."""
import collections
import pathlib
import subprocess
import tempfile
import zipfile

import torch
from safetensors.torch import save_file

TESTS = pathlib.Path(__file__).parent.parent.parent
DATA = TESTS / "files/data"
PICKLES = TESTS / "fuzz_files/pickles"
LIBTORCH = pathlib.Path(torch.__file__).parent
DTYPES = {
    "f32": torch.float32, "f64": torch.float64, "i32": torch.int32, "i64": torch.int64,
    "bool": torch.bool, "f16": torch.float16, "bf16": torch.bfloat16,
}
NARROW = {"u8": torch.uint8, "i8": torch.int8, "i16": torch.int16}


def numbers(dtype):
    """The contents that every test expects: -1 0 1 / 2 3 4, without signs for unsigned types."""
    values = torch.tensor([[-1, 0, 1], [2, 3, 4]])
    return (values.abs() if dtype in (torch.uint8, torch.uint16, torch.uint32) else values).to(dtype)


def with_attributes(tensor, attributes):
    for name, value in attributes.items():
        setattr(tensor, "my_" + name, value)
    return tensor


def python_files():
    f32 = numbers(torch.float32)
    tensors = {name: numbers(dtype) for name, dtype in {**DTYPES, **NARROW}.items()}
    tensors |= {
        "strided": f32.t(),
        "offset": torch.arange(10.0)[4:10:2],
        "expanded": torch.tensor([[1.0], [2.0]]).expand(2, 3),
        "zero_dim": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(f32),
        "complex": torch.tensor([1 + 2j]),
        "quantized": torch.quantize_per_tensor(f32, 0.5, 0, torch.qint8),
        "dict": {"weight": f32, "bias": f32[0]},
        "list": [f32, f32],
        "number": 3,
        "model": torch.nn.Linear(2, 2),
    }
    attributes = {
        "text": "hi", "number": 1.5, "big": 1 << 100, "flags": [True, None, (1, 2)],
        "bytes": b"\xff", "set": {1, 2}, "device": torch.device("cpu"), "type": torch.float32,
        "size": torch.Size([1, 2]), "dict": collections.OrderedDict(a=1), "tensor": torch.ones(2),
        "count": collections.Counter("aab"), "complex": 1j, "array": bytearray(b"ab"),
    }
    attributed = with_attributes(f32.clone(), attributes)
    tensors |= {
        "u16": torch.tensor([1, 65535], dtype=torch.uint16),
        "u32": torch.tensor([1, 4294967295], dtype=torch.uint32),
        "negated": torch._neg_view(f32),
        "negated_i8": torch._neg_view(torch.tensor([-1, 0, -128], dtype=torch.int8)),
        "negated_f16": torch._neg_view(torch.tensor([1.0, 0.0], dtype=torch.float16)),
        "conjugated": torch.tensor([1 + 2j]).conj(),
        "buffer": torch.nn.Buffer(f32.clone()),
        "attributes": attributed,
        "parameter_with_attributes": with_attributes(torch.nn.Parameter(f32.clone()), attributes),
        "sparse": f32.to_sparse(),
        "sparse_csr": f32.to_sparse_csr(),
        "nested": torch.nested.nested_tensor([f32, f32]),
        "meta": f32.to("meta"),
    }
    for name, tensor in tensors.items():
        torch.save(tensor, DATA / f"{name}.pt")
    for protocol in (3, 4, 5):
        torch.save(f32, DATA / f"protocol_{protocol}.pt", pickle_protocol=protocol)
    for protocol in (4, 5):
        torch.save(attributed, DATA / f"attributes_{protocol}.pt", pickle_protocol=protocol)
    torch.save(f32, DATA / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.serialization.set_crc32_options(False)
    torch.save(f32, DATA / "unchecked.pt")
    torch.serialization.set_crc32_options(True)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), DATA / "script.pt")


def cpp_files():
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "fixtures"
        includes = [LIBTORCH / "include", LIBTORCH / "include/torch/csrc/api/include"]
        subprocess.run(
            ["g++", "-std=c++17", pathlib.Path(__file__).with_suffix(".cpp"), "-o", program,
             *(f"-isystem{path}" for path in includes), f"-L{LIBTORCH}/lib",
             "-ltorch", "-ltorch_cpu", "-lc10", "-Wl,--allow-shlib-undefined",
             f"-Wl,-rpath,{LIBTORCH}/lib"], check=True)
        subprocess.run([program], cwd=DATA, check=True)


def safetensors_files():
    more = {"u16": torch.uint16, "u32": torch.uint32, "f8": torch.float8_e4m3fn}
    tensors = {name: numbers(dtype) for name, dtype in {**DTYPES, **NARROW, **more}.items()}
    tensors |= {"empty": torch.empty(0, 3), "zero_dim": torch.tensor(3.5),
                "größe": torch.tensor([1.0])}
    save_file(tensors, DATA / "all.safetensors", metadata={"format": "pt", "made by": "a test"})
    save_file({}, DATA / "none.safetensors")


def pickles():
    for file in DATA.glob("*.pt"):
        if file.name not in ("legacy.pt", "unchecked.pt"):
            with zipfile.ZipFile(file) as archive:
                name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
                (PICKLES / file.stem).with_suffix(".pkl").write_bytes(archive.read(name))


if __name__ == "__main__":
    for folder in (DATA, PICKLES):
        folder.mkdir(exist_ok=True)
    python_files()
    cpp_files()
    safetensors_files()
    pickles()
