"""Golden cases for mutations that rt_mutation found unnoticed by the other modules' cases."""

from golden_reference import NN, TT
from golden_values import ALL, INF, NAN, T, empty, layouts, sizes, vec, wave

VIEW_CALLS = {
    "transpose": (0, 1),
    "t": (),
    "permute": (sizes(1, 0),),
    "reshape": (sizes(4, 3, 2),),
    "view": (sizes(4, 3, 2),),
    "squeeze": (),
    "flatten": (),
    "contiguous": (),
    "squeeze_dim": (0,),
    "unsqueeze": (1,),
    "slice": (0, 1, 4, 1),
}
VIEWS = {TT + name for name in VIEW_CALLS}


def gaps(b):
    b.open("gaps")
    for dtype in ALL:
        for name, args in VIEW_CALLS.items():
            b.case(TT + name, f"{dtype}.plain", wave(dtype, 4, 6), *args)
            b.case(TT + name, f"{dtype}.turned", wave(dtype, 6, 4).then("t"), *args)
        for layout, x in layouts(wave, dtype).items():
            b.case("rt_torch_clone", f"{dtype}.{layout}", x)
    b.case(TT + "squeeze_dim", "empty", empty("f32", 1, 0), 0)

    # More than 16 elements, the widest vector that a kernel may use.
    f = "f32"
    b.case("rt_torch_tensor_full_int_1d", "long", 19, -7)
    b.case("rt_torch_tensor_arange_int", "long", 0, 60, 3)
    b.case("rt_torch_tensor_eye", "long", 5)
    b.case(TT + "svd", "long", wave(f, 5, 4))
    b.case(TT + "index_select", "long", wave(f, 3, 9), 1, vec("i64", 4, 0, 4, 8, 7, 1, 2, 3))
    b.case(TT + "gather", "long", wave(f, 24), 0, vec("i64", *(i * 5 % 24 for i in range(20))))
    b.case(TT + "gather", "no_index", wave(f, 3, 5), 1, empty("i64", 3, 0))
    b.case(NN + "linear", "long", wave(f, 3, 20), wave(f, 7, 20, start=5), wave(f, 7, start=2))
    b.case(NN + "embedding", "long", vec("i64", *(i % 3 for i in range(20))), wave(f, 3, 2))
    shares = [(i + 1) / 21 for i in range(20)]
    b.case(NN + "binary_cross_entropy", "long", vec(f, *shares), vec(f, *reversed(shares)))

    # Operands of one type, which a kernel could exchange.
    b.case(TT + "matmul", "square", wave(f, 3, 3), wave(f, 3, 3, start=4))
    b.case(NN + "linear", "square", wave(f, 3, 3), wave(f, 3, 3, start=4), wave(f, 3))
    b.case(TT + "index_select", "i64.of_itself", vec("i64", 2, 0, 0), 0, vec("i64", 1, 2, 1))
    b.case(TT + "gather", "i64.of_itself", vec("i64", 2, 0, 0), 0, vec("i64", 1, 2, 1))
    b.case(
        NN + "embedding",
        "i64.of_itself",
        T("i64", [2, 2], [0, 1, 1, 1]),
        T("i64", [2, 2], [1, 0, 0, 1]),
    )

    # NaN and infinities must be kept.
    special = T(f, [3, 2], [NAN, 1, INF, -INF, 2, NAN])
    b.case("rt_torch_clone", "special", special)
    b.case(TT + "gather", "special", special, 0, T("i64", [2, 2], [0, 1, 2, 2]))
    b.case(NN + "embedding", "special", vec("i64", 2, 1), special)
    b.case(NN + "linear", "special", special, wave(f, 2, 2), wave(f, 2))

    # Numbers beyond f32: within its range f64 computed as f32 passes the tolerance.
    b.case(NN + "mse_loss", "beyond_f32", vec("f64", 1e30, 0), vec("f64", 0, 0))
    logits = T("f64", [1, 2], [1e300, 0])
    b.case(NN + "cross_entropy", "f64.beyond_f32", logits, vec("i64", 1))
