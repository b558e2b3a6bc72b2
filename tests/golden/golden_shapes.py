"""Golden cases: rows that pick, move and repeat parts of a tensor."""

import torch

import torch.nn.functional as F

from golden_reference import NN, REFERENCE, RETURNS, SIGNED_ZERO, TT
from golden_values import (
    ALL,
    HALVES,
    I64_MAX,
    SPECIAL,
    Arg,
    T,
    empty,
    layouts,
    scalar,
    sizes,
    tensors,
    vec,
    wave,
)

REFERENCE.update(
    {
        TT + "narrow": torch.narrow,
        TT + "select": torch.select,
        TT + "expand": lambda x, dims: x.expand(dims),
        TT + "broadcast_to": torch.broadcast_to,
        TT + "movedim": torch.movedim,
        TT + "flip": torch.flip,
        TT + "roll": lambda x, shifts, dims: torch.ops.aten.roll(x, shifts, dims),
        TT + "repeat": lambda x, repeats: x.repeat(repeats),
        TT + "tile": torch.tile,
        TT + "repeat_interleave": lambda x, n, dim: torch.repeat_interleave(x, n, dim),
    }
)


def full_like(x, value):
    return torch.full_like(x, value)


def pad(x, numbers, mode, value):
    """Without the demands of some modes on the number of dimensions: those that are missing are
        added in front."""
    if mode == "constant":
        return F.pad(x, numbers, mode, value)
    missing = len(numbers) // 2 + 2 - x.dim()
    for _ in range(missing):
        x = x.unsqueeze(0)
    x = F.pad(x, numbers, mode)
    for _ in range(missing):
        x = x.squeeze(0)
    return x


REFERENCE.update(
    {
        TT + "tril": torch.tril,
        TT + "triu": torch.triu,
        TT + "diag": torch.diag,
        TT + "diagonal": torch.diagonal,
        TT + "diag_embed": torch.diag_embed,
        TT + "zeros_like": torch.zeros_like,
        TT + "ones_like": torch.ones_like,
        TT + "full_like": full_like,
        TT + "split": lambda x, n, dim: list(torch.split(x, n, dim)),
        TT + "split_with_sizes": lambda x, n, dim: list(torch.split(x, n, dim)),
        TT + "unbind": lambda x, dim: list(torch.unbind(x, dim)),
        TT + "take_along_dim": torch.take_along_dim,
        TT + "searchsorted": lambda s, x, right: torch.searchsorted(s, x, right=right),
        NN + "pad": pad,
        NN + "one_hot": F.one_hot,
        "rt_torch_tensor_meshgrid": lambda of, indexing: list(torch.meshgrid(*of, indexing=indexing)),
    }
)
RETURNS.update({TT + n: "handles" for n in ("split", "split_with_sizes", "unbind")})
RETURNS["rt_torch_tensor_meshgrid"] = "handles"
SIGNED_ZERO |= {
    TT + n
    for n in (
        "narrow select expand broadcast_to movedim flip roll repeat tile repeat_interleave".split()
    )
}


def moved(b):
    b.open("shape")
    x, grid, line = wave("f32", 2, 3, 4), wave("f32", 3, 5), wave("f32", 7)
    turned, point, special = grid.then("t"), wave("f32"), vec("f32", *SPECIAL)
    for name in ("expand", "broadcast_to"):
        for variant, value, dims in (
            ("same", grid, (3, 5)),
            ("rows", vec("f32", 1, 2), (3, 2)),
            ("columns", wave("f32", 3, 1), (3, 4)),
            ("kept", wave("f32", 3, 1), (2, -1, 4)),
            ("kept_all", turned, (-1, -1)),
            ("turned", wave("f32", 1, 3).then("t"), (2, 3, 4)),
            ("scalar", point, (2, 2)),
            ("scalar_same", point, ()),
            ("to_nothing", wave("f32", 1, 3), (0, 3)),
            ("empty", empty("f32", 0, 1), (2, -1, 4)),
            ("special", special, (2, -1)),
        ):
            b.case(TT + name, variant, value, sizes(*dims))
        for dtype in ALL:
            b.case(TT + name, dtype, wave(dtype, 2, 1), sizes(2, 2))
        for variant, value, dims in (
            ("other_size", grid, (3, 4)),
            ("to_one", grid, (3, 1)),
            ("fewer", grid, (5,)),
            ("new_kept", grid, (-1, 3, 5)),
            ("minus_two", grid, (-2, 5)),
            ("kept_is_no_one", empty("f32", 0), (1,)),
        ):
            b.case(TT + name, variant, value, sizes(*dims), fails="call")

    symbol = TT + "movedim"
    for variant, value, source, destination in (
        ("first_to_last", x, (0,), (-1,)),
        ("last_to_first", x, (2,), (0,)),
        ("two", x, (0, 2), (1, 0)),
        ("two_swapped", x, (2, 0), (1, 0)),
        ("cycle", x, (0, 1, 2), (2, 0, 1)),
        ("none", x, (), ()),
        ("four", wave("i64", 2, 3, 1, 2), (1, 3), (3, 0)),
        ("turned", turned, (0,), (1,)),
        ("empty", empty("f64", 2, 0, 3), (0,), (1,)),
        ("scalar", point, (0,), (0,)),
        ("i32", wave("i32", 2, 3), (1,), (0,)),
    ):
        b.case(symbol, variant, value, sizes(*source), sizes(*destination))
    for variant, source, destination in (
        ("unlike", (0, 1), (0,)),
        ("twice_from", (0, 0), (0, 1)),
        ("twice_to", (0, 1), (2, -1)),
        ("no_such_dim", (3,), (0,)),
        ("no_such_place", (0,), (-4,)),
    ):
        b.case(symbol, variant, x, sizes(*source), sizes(*destination), fails="call")

    for variant, value, dims in (
        ("none", x, ()),
        ("one", x, (1,)),
        ("from_the_end", x, (-1,)),
        ("all", x, (0, 1, 2)),
        ("turned", turned, (0,)),
        ("scalar", point, ()),
        ("empty", empty("f32", 0, 2), (0, 1)),
        ("ones", wave("f32", 1, 2), (0,)),
        ("special", special, (0,)),
    ):
        b.case(TT + "flip", variant, value, sizes(*dims))
    b.case(TT + "flip", "twice", x, sizes(0, -3), fails="call")
    b.case(TT + "flip", "no_such_dim", x, sizes(3), fails="call")

    symbol = TT + "roll"
    for variant, value, shifts, dims in (
        ("line", line, (2,), (0,)),
        ("back", line, (-3,), (0,)),
        ("round", line, (16,), (0,)),
        ("whole_round", line, (7,), (0,)),
        ("flat", x, (5,), ()),
        ("flat_turned", turned, (-1,), ()),
        ("two", x, (1, -1), (0, 2)),
        ("dim_twice", line, (1, 1), (0, 0)),
        ("from_the_end", grid, (1,), (-1,)),
        ("extreme", line, (I64_MAX,), (0,)),
        ("far_back", line, (-(2**40),), (0,)),
        ("empty", empty("f32", 0, 2), (1,), (0,)),
        ("scalar", point, (1,), ()),
        ("special", special, (3,), (0,)),
    ):
        b.case(symbol, variant, value, sizes(*shifts), sizes(*dims))
    for variant, shifts, dims in (
        ("no_shift", (), ()),
        ("too_many", (1, 2), ()),
        ("unlike", (1,), (0, 1)),
        ("no_such_dim", (1,), (3,)),
    ):
        b.case(symbol, variant, x, sizes(*shifts), sizes(*dims), fails="call")

    for name in ("repeat", "tile"):
        symbol = TT + name
        for variant, value, factors in (
            ("both", grid, (2, 3)),
            ("once", grid, (1, 1)),
            ("rows", grid, (2, 1)),
            ("new", line, (2, 1)),
            ("new_two", line, (2, 3, 2)),
            ("nothing", grid, (0, 2)),
            ("scalar", point, (3,)),
            ("scalar_once", point, ()),
            ("turned", turned, (1, 2)),
            ("block", x, (1, 2, 1)),
            ("empty", empty("f32", 0, 2), (2, 2)),
            ("special", special, (2,)),
        ):
            b.case(symbol, variant, value, sizes(*factors))
        b.case(symbol, "negative", grid, sizes(1, -1), fails="call")
    b.case(TT + "repeat", "too_few", grid, sizes(2), fails="call")
    b.case(TT + "tile", "fewer", grid, sizes(2))
    b.case(TT + "tile", "none", grid, sizes())

    symbol = TT + "repeat_interleave"
    for variant, value, repeats, dim in (
        ("line", line, 2, 0),
        ("rows", grid, 3, 0),
        ("columns", grid, 2, -1),
        ("once", grid, 1, 0),
        ("never", grid, 0, 1),
        ("turned", turned, 2, 1),
        ("empty", empty("f32", 2, 0), 2, 0),
        ("special", special, 2, 0),
    ):
        b.case(symbol, variant, value, repeats, dim)
    b.case(symbol, "negative", grid, -1, 0, fails="call")
    b.case(symbol, "no_such_dim", grid, 2, 2, fails="call")
    for dtype in ALL:
        for layout, value in layouts(wave, dtype).items():
            rank = len(value.torch().shape)
            dims = sizes(*range(rank))
            b.case(TT + "flip", f"{dtype}.{layout}", value, dims)
            b.case(TT + "roll", f"{dtype}.{layout}", value, sizes(1), sizes())
            b.case(TT + "repeat", f"{dtype}.{layout}", value, sizes(*[2] * rank))
            b.case(TT + "tile", f"{dtype}.{layout}", value, sizes(2))
            b.case(symbol, f"{dtype}.{layout}", value, 2, -1, fails=None if rank else "call")


def parts(b):
    b.open("index")
    grid, line = wave("f32", 3, 5), wave("f32", 7)
    for variant, value, args in (
        ("line", line, (0, 2, 3)),
        ("all", line, (0, 0, 7)),
        ("nothing", line, (0, 3, 0)),
        ("at_the_end", line, (0, 7, 0)),
        ("from_the_end", line, (0, -3, 2)),
        ("columns", grid, (-1, 1, 3)),
        ("turned", grid.then("t"), (0, 1, 3)),
        ("again", line.then("slice", 0, 1, 7, 2), (0, 1, 2)),
        ("empty", empty("f32", 0, 2), (0, 0, 0)),
        ("i64", wave("i64", 4, 2), (0, 1, 2)),
        ("special", vec("f32", *SPECIAL), (0, 1, 5)),
    ):
        b.case(TT + "narrow", variant, value, *args)
    for variant, value, args in (
        ("negative_length", line, (0, 2, -1)),
        ("too_long", line, (0, 5, 3)),
        ("far", line, (0, 8, 0)),
        ("far_below", line, (0, -8, 1)),
        ("extreme", line, (0, 1, I64_MAX)),
        ("no_such_dim", line, (1, 0, 1)),
        ("scalar", wave("f32"), (0, 0, 1)),
    ):
        b.case(TT + "narrow", variant, value, *args, fails="call")
    for variant, value, args in (
        ("line", line, (0, 2)),
        ("last", line, (0, -1)),
        ("first", line, (0, -7)),
        ("row", grid, (0, 1)),
        ("column", grid, (-1, 3)),
        ("turned", grid.then("t"), (0, 4)),
        ("cut", grid.then("slice", 1, 1, 5, 2), (1, 1)),
        ("block", wave("i64", 2, 3, 2), (1, 2)),
        ("empty", empty("f32", 0, 2), (1, 1)),
        ("special", vec("f32", *SPECIAL), (0, 4)),
    ):
        b.case(TT + "select", variant, value, *args)
    for variant, value, args in (
        ("far", line, (0, 7)),
        ("far_below", line, (0, -8)),
        ("from_nothing", empty("f32", 0, 2), (0, 0)),
        ("no_such_dim", line, (1, 0)),
        ("scalar", wave("f32"), (0, 0)),
    ):
        b.case(TT + "select", variant, value, *args, fails="call")


def parts_and_copies(n):
    """Every row of this file, each with weights of its own."""
    x, losses = n.parameter("x", 3, 4), []

    def add(result):
        weights = n.input(f"w{len(losses)}", *result.value.shape)
        losses.append(n.sum_tensor(n.mul(result, weights)))

    add(n.narrow(x, 1, 1, 2))
    add(n.select(x, 0, -1))
    add(n.expand(n.select(x, 1, 2), [2, -1]))
    add(n.broadcast_to(n.narrow(x, 0, 0, 1), [3, 4]))
    add(n.movedim(n.unsqueeze(x, 0), [0, 2], [1, 0]))
    add(n.flip(x, [0, -1]))
    add(n.roll(x, [1, -1], [0, 1]))
    add(n.roll(x, [5], []))
    add(n.repeat(x, [2, 1, 3]))
    add(n.tile(x, [2]))
    add(n.repeat_interleave(x, 2, 1))
    return losses


def matrices(b):
    b.open("shape")
    grid, block = wave("f32", 3, 5), wave("f32", 2, 3, 4)
    for name in ("tril", "triu"):
        for k in (0, 1, -1, 4, -4, 9, -9):
            b.case(TT + name, f"grid.{k}", grid, k)
        b.case(TT + name, "block", block, 1)
        b.case(TT + name, "turned", grid.then("t"), -1)
        b.case(TT + name, "empty", empty("f32", 0, 3), 0)
        b.case(TT + name, "special", T("f32", [2, 5], SPECIAL), 0)
        for dtype in (*ALL, "bool"):
            b.case(TT + name, dtype, wave(dtype, 3, 3), 0)
        b.case(TT + name, "vector", wave("f32", 3), 0, fails="call")
    for k in (0, 1, -1, 3, -3, 9):
        b.case(TT + "diagonal", f"grid.{k}", grid, k, 0, 1)
        b.case(TT + "diagonal", f"block.{k}", block, k, 0, -1)
        b.case(TT + "diagonal", f"swapped.{k}", block, k, 2, 1)
        b.case(TT + "diag", f"grid.{k}", grid, k)
        b.case(TT + "diag", f"line.{k}", wave("f32", 3), k)
        b.case(TT + "diag_embed", f"grid.{k}", grid, k)
    for name in ("diag", "diag_embed"):
        b.case(TT + name, "i64", wave("i64", 3), 1)
        b.case(TT + name, "bool", wave("bool", 3), 0)
        b.case(TT + name, "empty", empty("f32", 0), 1)
        b.case(TT + name, "special", vec("f32", *SPECIAL), 0)
    b.case(TT + "diagonal", "i64", wave("i64", 3, 3), 0, 0, 1)
    b.case(TT + "diagonal", "turned", grid.then("t"), 1, 0, 1)
    b.case(TT + "diagonal", "one_dim", grid, 0, 1, -1, fails="call")
    b.case(TT + "diagonal", "vector", wave("f32", 3), 0, 0, 1, fails="call")
    b.case(TT + "diag", "block", block, 0, fails="call")
    b.case(TT + "diag_embed", "scalar", wave("f32"), 0, fails="call")
    for symbol, name, make in (
        ("zeros_like", "zeros", ()),
        ("ones_like", "ones", ()),
        ("full_like", "full", (2.0,)),
    ):
        for dtype in (*ALL, "bool", *HALVES):
            for layout, value in layouts(wave, dtype).items():
                b.case(TT + symbol, f"{dtype}.{layout}", value, *make)
    b.case(TT + "full_like", "beyond", wave("i32", 2), 1e300, fails="call")


def lists(b):
    b.open("index")
    grid, line = wave("f32", 3, 5), wave("f32", 7)
    for name, value, args in (
        ("line", line, (3, 0)),
        ("whole", line, (9, 0)),
        ("ones", line, (1, 0)),
        ("columns", grid, (2, -1)),
        ("empty", empty("f32", 0, 2), (3, 0)),
        ("none", empty("f32", 0, 2), (0, 0)),
        ("i64", wave("i64", 4), (2, 0)),
    ):
        b.case(TT + "split", name, value, *args)
    b.case(TT + "split", "zero", line, 0, 0, fails="call")
    b.case(TT + "split", "scalar", wave("f32"), 1, 0, fails="call")
    b.case(TT + "split", "no_such_dim", line, 1, 1, fails="call")
    for name, value, split, dim in (
        ("line", line, (2, 0, 5), 0),
        ("columns", grid, (1, 4), 1),
        ("whole", grid, (3,), 0),
        ("empty", empty("f32", 0), (0, 0), 0),
    ):
        b.case(TT + "split_with_sizes", name, value, sizes(*split), dim)
    for name, split in (("less", (2, 3)), ("more", (4, 4)), ("negative", (8, -1))):
        b.case(TT + "split_with_sizes", name, line, sizes(*split), 0, fails="call")
    for name, value, dim in (
        ("line", line, 0),
        ("columns", grid, -1),
        ("turned", grid.then("t"), 0),
        ("empty", empty("f32", 0, 2), 0),
    ):
        b.case(TT + "unbind", name, value, dim)
    b.case(TT + "unbind", "scalar", wave("f32"), 0, fails="call")
    for indexing in ("ij", "xy"):
        mesh = "rt_torch_tensor_meshgrid"
        text = Arg("text", indexing)
        b.case(mesh, f"two.{indexing}", tensors(wave("f32", 3), wave("f32", 2)), text)
        b.case(mesh, f"one.{indexing}", tensors(wave("i64", 3)), text)
        three = tensors(wave("f32", 2), wave("f32", 3), wave("f32"))
        b.case(mesh, f"three.{indexing}", three, text)
    b.case("rt_torch_tensor_meshgrid", "word", tensors(wave("f32", 2)), Arg("text", "yx"), fails="call")
    b.case("rt_torch_tensor_meshgrid", "grid", tensors(grid), Arg("text", "ij"), fails="call")
    index = T("i64", [3, 2], [4, 0, 1, 1, 2, 3])
    take = TT + "take_along_dim"
    b.case(take, "grid", grid, index, 1)
    b.case(take, "broadcast", grid, T("i64", [1, 2], [4, 0]), -1)
    b.case(take, "self_broadcast", wave("f32", 1, 5), index, 1)
    b.case(take, "i64", wave("i64", 3, 5), index, 1)
    b.case(take, "ranks", grid, vec("i64", 1), 1, fails="call")
    search = TT + "searchsorted"
    ordered = vec("f32", -2.0, 0.0, 0.0, 1.5, 4.0)
    for right in (False, True):
        b.case(search, f"grid.{right}", ordered, grid, right)
        b.case(search, f"scalar.{right}", ordered, scalar("f32", 0.0), right)
        b.case(search, f"i64.{right}", vec("i64", 1, 2, 2, 9), vec("i64", 0, 2, 9, 10), right)
        b.case(search, f"empty.{right}", empty("f32", 0), grid, right)
    b.case(search, "rows", wave("f32", 2, 3).then("clone"), grid, False, fails="call")


def padded(b):
    b.open("nn")
    block, line = wave("f32", 2, 3, 4), wave("f32", 2, 5)
    pad = NN + "pad"

    def case(name, x, numbers, mode="constant", value=0.0, fails=None):
        b.case(pad, name, x, sizes(*numbers), Arg("text", mode), value, fails=fails)

    case("last", block, (1, 2), value=0.5)
    case("two", block, (1, 2, 0, 3), value=-1.0)
    case("all", block, (1, 0, 0, 1, 2, 0), value=float("nan"))
    case("cut", block, (-1, 2, 1, -2))
    case("cut_all", line, (-2, -3))
    case("none", block, ())
    case("zeros", block, (0, 0, 0, 0))
    case("empty", empty("f32", 0, 2), (1, 1))
    case("turned", line.then("t"), (1, 1), value=2.0)
    case("special", vec("f32", *SPECIAL), (1, 1), value=1.0)
    for dtype in (*ALL, "bool", *HALVES):
        case(dtype, wave(dtype, 2, 3), (2, 1), value=1.0)
    for mode in ("reflect", "replicate", "circular"):
        case(f"{mode}.line", line, (2, 1), mode)
        case(f"{mode}.one_side", line, (0, 4), mode)
        case(f"{mode}.image", wave("f32", 1, 2, 4, 3), (1, 2, 3, 0), mode)
        case(f"{mode}.turned", wave("f32", 5, 2).then("t"), (1, 2), mode)
        case(f"{mode}.f64", wave("f64", 2, 5), (1, 1), mode)
    case("replicate.far", line, (9, 9), "replicate")
    case("reflect.far", line, (5, 0), "reflect", fails="call")
    case("circular.far", line, (6, 0), "circular", fails="call")
    case("odd", line, (1,), fails="call")
    case("too_many", line, (1, 1, 1, 1, 1, 1), fails="call")
    case("too_short", line, (-3, -3), fails="call")
    case("mode", line, (1, 1), "mirror", fails="call")
    hot = NN + "one_hot"
    for name, x in (("line", vec("i64", 0, 2, 1)), ("grid", T("i64", [2, 2], [3, 0, 0, 1])), ("scalar", scalar("i64", 2)), ("empty", empty("i64", 0, 2))):
        b.case(hot, name, x, 4)
    b.case(hot, "out_of_range", vec("i64", 4), 4, fails="run")
    b.case(hot, "negative", vec("i64", -1), 4, fails="run")
    b.case(hot, "f32", wave("f32", 2), 4, fails="call")
    b.case(hot, "no_classes", vec("i64", 0), 0, fails="call")


def matrices_and_padding(n):
    x, losses = n.parameter("x", 3, 4), []

    def add(result):
        weights = n.input(f"w{len(losses)}", *result.value.shape)
        losses.append(n.sum_tensor(n.mul(result, weights)))

    add(n.tril(x, 0))
    add(n.triu(x, 1))
    add(n.diagonal(x, 1, 0, 1))
    add(n.diag_embed(x, -1))
    add(n.diag(n.select(x, 0, 1), 1))
    add(n.diag(x, -1))
    for mode in ("constant", "reflect", "replicate", "circular"):
        add(n.pad(x, [1, 2], Arg("text", mode), 0.5))
    add(n.pad(x, [-1, 1, 1, -1], Arg("text", "constant"), 0.0))
    add(n.take_along_dim(x, n.ints("at", [[0, 3, 3], [1, 0, 2], [2, 2, 2]]), 1))
    return losses


def strided_slices(n):
    """Slices with steps, each the only use of its leaf, and one with an infinite slope."""
    losses = []
    for i, (shape, args) in enumerate(
        (((4, 6), (1, 1, 6, 2)), ((5, 3), (0, 0, 4, 3)), ((2, 3, 7), (2, 2, 6, 3)))
    ):
        part = n.slice(n.parameter(f"x{i}", *shape), *args)
        losses.append(n.sum_tensor(n.mul(part, n.input(f"w{i}", *part.value.shape))))
    far = n.slice(n.parameter("far", 5), 0, 1, 5, 3)
    weights = n.given("weights", torch.tensor([float("inf"), -float("inf")]))
    losses.append(n.sum_tensor(n.mul(far, weights)))
    return losses


NETWORKS = (parts_and_copies, matrices_and_padding, strided_slices)
