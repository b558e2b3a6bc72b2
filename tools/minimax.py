#!/usr/bin/env python3
"""minimax.py -- prints elementwise/polynomials.h; needs the mpmath package.

Each polynomial is the best one of its degree: Remez' exchange algorithm on the weighted error.
"""
import mpmath as mp

mp.mp.dps = 60


def remez(function, weight, low, high, degree):
    """The coefficients from the lowest to the highest, and the largest weighted error."""
    count = degree + 2
    middle, half = (low + high) / 2, (high - low) / 2
    points = [middle - half * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    grid = [middle - half * mp.cos(mp.pi * (i + mp.mpf(1) / 2) / 1500) for i in range(1500)]
    wanted = [(x, function(x), weight(x)) for x in grid]
    for _ in range(12):
        matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
        for row, x in enumerate(points):
            for column in range(degree + 1):
                matrix[row, column] = x**column
            matrix[row, count - 1] = (-1) ** row / weight(x)
            right[row] = function(x)
        solution = mp.lu_solve(matrix, right)
        coefficients = list(solution)[:-1]
        errors = [w * (mp.polyval(coefficients[::-1], x) - f) for x, f, w in wanted]
        # The largest error of each run of equal sign is the next point.
        peaks = []
        for x, error in zip(grid, errors):
            if peaks and (error > 0) == (peaks[-1][1] > 0):
                if abs(error) > abs(peaks[-1][1]):
                    peaks[-1] = (x, error)
            else:
                peaks.append((x, error))
        while len(peaks) > count:
            peaks.pop(0 if abs(peaks[0][1]) < abs(peaks[-1][1]) else -1)
        if len(peaks) < count:
            break
        points = [x for x, _ in peaks]
    return coefficients, max(abs(error) for error in errors)


def odd(f):
    """P of f(x) = x + x^3 P(x^2), and the weight that makes its error relative to f."""
    return (lambda z: (f(mp.sqrt(z)) / mp.sqrt(z) - 1) / z,
            lambda z: z * mp.sqrt(z) / f(mp.sqrt(z)))


def even_cosine():
    return (lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2,
            lambda z: z**2 / mp.cos(mp.sqrt(z)))


TINY = mp.mpf("1e-12")
QUARTER_PI = mp.pi / 4 * mp.mpf("1.0001")
POLYNOMIALS = [
    # name, what it is, (function, weight), from, to, degree in f32, in f64
    ("Exp", "e^r = 1 + r + r^2 P(r)",
     (lambda r: (mp.exp(r) - 1 - r) / r**2 if r else mp.mpf(1) / 2, lambda r: r**2 / mp.exp(r)),
     -mp.log(2) / 2 * mp.mpf("1.0001"), mp.log(2) / 2 * mp.mpf("1.0002"), 4, 9),
    ("Log", "2 atanh(s) = 2 s + s^3 P(s^2)",
     (lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z,
      lambda z: z * mp.sqrt(z) / (2 * mp.atanh(mp.sqrt(z)))),
     TINY, (3 - 2 * mp.sqrt(2))**2 * mp.mpf("1.001"), 2, 6),
    ("ErfNear", "erf(x) = x + x P(x^2), |x| < 1",
     (lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, lambda z: mp.sqrt(z) / mp.erf(mp.sqrt(z))),
     TINY, mp.mpf(1), 6, 11),
    ("ErfFar", "-log(1 - erf(x)) = P(x - 1), 1 <= x",
     (lambda u: -mp.log(mp.erfc(1 + u)), lambda u: mp.erfc(1 + u) / mp.erf(1 + u)),
     mp.mpf(0), (mp.mpf(3), mp.mpf(5)), 7, 17),
    ("HalfErfc", "log(erfc(t / sqrt 2) / 2) = P(t), 0 <= t <= 6; times the root of erfc",
     (lambda t: mp.log(mp.erfc(t / mp.sqrt(2)) / 2), lambda t: mp.sqrt(mp.erfc(t / mp.sqrt(2)))),
     mp.mpf(0), mp.mpf(6), 10, None),
    ("Sin", "sin(r) = r + r^3 P(r^2)", odd(mp.sin), TINY, QUARTER_PI**2, 2, 5),
    ("Cos", "cos(r) = 1 - r^2 / 2 + r^4 P(r^2)", even_cosine(), TINY, QUARTER_PI**2, 2, 5),
    ("Asin", "asin(x) = x + x^3 P(x^2), |x| <= 1/2", odd(mp.asin), TINY, mp.mpf("0.2501"), 4, 11),
    ("Atan", "atan(x) = x + x^3 P(x^2), |x| <= tan(pi / 8)", odd(mp.atan), TINY,
     mp.tan(mp.pi / 8)**2 * mp.mpf("1.001"), 4, 10),
]


def literal(value, bits):
    """A hexadecimal floating literal, rounded to nearest."""
    fraction, exponent = mp.frexp(value)
    scaled = int(mp.nint(fraction * mp.mpf(2)**bits))
    text = float(mp.ldexp(mp.mpf(scaled), int(exponent) - bits)).hex()
    mantissa, power = text.split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + power + ("f" if bits == 24 else "")


def print_array(c_type, name, comment, numbers):
    print(f"  /// {comment}")
    line = f"  static constexpr {c_type} {name}[] = {{"
    for i, number in enumerate(numbers):
        piece = number + ("};" if i + 1 == len(numbers) else ",")
        if len(line) + len(piece) + 1 > 100:
            print(line)
            line = "      " + piece
        else:
            line += piece if line.endswith("{") else " " + piece
    print(line)


print("""\
// polynomials.h -- the polynomials behind the vector functions; printed by tools/minimax.py.
#pragma once

namespace rt::cpu {

/// Coefficients from the lowest to the highest; with each what it stands for, and the largest
/// error relative to that.
// clang-format off
template <class T>
struct Polynomials;""")
for which, (c_type, bits) in enumerate((("float", 24), ("double", 53))):
    print(f"\ntemplate <>\nstruct Polynomials<{c_type}> {{")
    for name, what, (function, weight), low, high, *degrees in POLYNOMIALS:
        if degrees[which] is None:
            continue
        end = high[which] if isinstance(high, tuple) else high
        coefficients, error = remez(function, weight, low, end, degrees[which])
        comment = f"{what}; 2^{float(mp.log(error, 2)):.1f}"
        print_array(c_type, f"k{name}", comment, [literal(c, bits) for c in coefficients])
    print("};")
print("// clang-format on\n\n}  // namespace rt::cpu")
