"""Judges a ternary-gemm result in numpy, sharing no code with the model or the RTL; called by tests.

    ternary_oracle.py DIR [--shift N] [--rounding NAME] [--bits B] [--narrow]
    ternary_oracle.py --self-test

DIR holds x.npy [T, K], w.npy [M, K] or [2, M, K], and y.npy, the result to judge. With mult.npy the result is
requantized; the shift is --shift or shift.npy, and zp.npy is optional.
Prints `equal` (exit 0) or the first difference (exit 1); wrong input is exit 2.
"""

import argparse
import itertools
import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

MAX_SHIFT = 47


def half_even(n, shift):
    """Nearest, ties to even."""
    quotient = n >> shift
    twice_rest = (n - (quotient << shift)) << 1
    one = np.int64(1) << shift
    return quotient + ((twice_rest > one) | ((twice_rest == one) & (quotient & 1 == 1)))


def half_up(n, shift):
    """floor(n / 2^shift + 1/2)."""
    return (n + ((np.int64(1) << shift) >> 1)) >> shift


def half_away(n, shift):
    """Nearest, ties away from zero."""
    return np.sign(n) * half_up(np.abs(n), shift)


def floor(n, shift):
    """Toward minus infinity."""
    return n >> shift


ROUNDINGS = {"half-even": half_even, "half-up": half_up, "half-away": half_away, "floor": floor}


def products(x, w):
    """The exact sums, int64 [P, T, M], of x [T, K] and w [M, K] (P = 1) or [P, M, K]."""
    planes = w if w.ndim == 3 else w[np.newaxis]
    return np.stack([x.astype(np.int64) @ plane.astype(np.int64).T for plane in planes])


def requantize(acc, mult, shift, zp, rounding, low, high):
    """Multiply, add the planes, shift with one rounding, add the zero point, saturate: int64 [T, M].

    acc [P, T, M]; mult [P, M] or [P, 1] (one plane: also [M] or [1]); shift and zp broadcast over [M].
    """
    factors = mult.astype(np.int64).reshape(len(acc), -1)
    scaled = (acc * factors[:, np.newaxis, :]).sum(axis=0)
    return np.clip(ROUNDINGS[rounding](scaled, shift) + zp, low, high)


def bounds(bits, narrow):
    """The saturation bounds of a signed integer of `bits`."""
    high = 2 ** (bits - 1) - 1
    return (-high if narrow else -high - 1), high


def expected(tensors, options):
    """The right y for the tensors by name; ValueError says what does not fit together."""
    x, w = tensors["x"], tensors["w"]
    if x.ndim != 2 or w.ndim not in (2, 3) or w.shape[-1] != x.shape[1]:
        raise ValueError(f"x {list(x.shape)} and w {list(w.shape)} are not [T, K] and [M, K] or [2, M, K]")
    if not np.isin(w, (-1, 0, 1)).all():
        raise ValueError("w holds values other than -1, 0 and 1")
    acc = products(x, w)
    if "mult" not in tensors:
        return fit(acc if w.ndim == 3 else acc[0], np.int32)
    shift = tensors.get("shift", options.shift)
    if shift is None:
        raise ValueError("mult.npy is there but neither shift.npy nor --shift")
    shift = np.asarray(shift).astype(np.int64)
    if shift.min() < 0 or shift.max() > MAX_SHIFT:
        raise ValueError(f"a shift is outside 0..{MAX_SHIFT}")
    zp = tensors.get("zp", np.zeros(1)).astype(np.int64)
    low, high = bounds(options.bits, options.narrow)
    y = requantize(acc, tensors["mult"], shift, zp, options.rounding, low, high)
    return fit(y, np.int8 if options.bits <= 8 else np.int16)


def fit(values, dtype):
    """The values in a narrower type; ValueError where one does not fit."""
    limits = np.iinfo(dtype)
    if values.size and (values.min() < limits.min or values.max() > limits.max):
        raise ValueError(f"the exact result does not fit {np.dtype(dtype)}")
    return values.astype(dtype)


def first_difference(want, got):
    """One line on how `got` differs from `want`, or None."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"expected {want.dtype} {list(want.shape)}, got {got.dtype} {list(got.shape)}"
    wrong = np.argwhere(got != want)
    if len(wrong) == 0:
        return None
    at = tuple(wrong[0])
    place = ", ".join(str(index) for index in at)
    return f"y[{place}]: expected {want[at]}, got {got[at]}; {len(wrong)} of {got.size} values differ"


def self_test():
    """Every rounding against exact fractions, at ties, around them, and at the widest product; returns the count."""
    exact = {
        "half-even": round,
        "half-up": lambda v: math.floor(v + Fraction(1, 2)),
        "half-away": lambda v: int(math.copysign(1, v)) * math.floor(abs(v) + Fraction(1, 2)),
        "floor": math.floor,
    }
    widest = 2**31 * 65535 * 2
    count = 0
    for shift, name in itertools.product((0, 1, 2, 3, 15, MAX_SHIFT), ROUNDINGS):
        half = 1 << shift >> 1
        values = [m * half + d for m in range(-9, 10) for d in (-1, 0, 1)] + [widest, -widest, widest - 1]
        for n, got in zip(values, ROUNDINGS[name](np.array(values, np.int64), np.int64(shift))):
            want = exact[name](Fraction(n, 2**shift))
            if want != got:
                raise ArithmeticError(f"{name}: {n} / 2^{shift} is {want}, not {got}")
            count += 1
    return count


def load(folder):
    """The tensors of a folder by name; x, w and y must be there."""
    tensors = {}
    for name in ("x", "w", "y", "mult", "shift", "zp"):
        path = folder / f"{name}.npy"
        if name in ("x", "w", "y") or path.exists():
            tensors[name] = np.load(path)
    for name, tensor in tensors.items():
        if tensor.dtype.kind not in "iu":
            raise ValueError(f"{name}.npy is {tensor.dtype}, not an integer type")
    return tensors


def parse():
    parser = argparse.ArgumentParser(description="Judge a ternary-gemm result against exact integer arithmetic.")
    parser.add_argument("dir", type=Path, nargs="?", help="folder with x.npy, w.npy, y.npy and what else the job has")
    parser.add_argument("--shift", type=int, help="constant shift; shift.npy goes before it")
    parser.add_argument("--rounding", choices=ROUNDINGS, default="half-even", help="default: %(default)s")
    parser.add_argument("--bits", type=int, default=8, choices=range(2, 17), metavar="2..16", help="default: 8")
    parser.add_argument("--narrow", action="store_true", help="saturate to -(2^(bits-1) - 1)")
    parser.add_argument("--self-test", action="store_true", help="check the roundings against exact fractions")
    options = parser.parse_args()
    if not options.self_test and options.dir is None:
        parser.error("DIR is missing")
    return options


def main():
    options = parse()
    if options.self_test:
        print(f"{self_test()} roundings right")
        return 0
    try:
        tensors = load(options.dir)
        want = expected(tensors, options)
    except (OSError, EOFError, ValueError) as error:
        print(f"ternary_oracle: {error}", file=sys.stderr)
        return 2
    difference = first_difference(want, tensors["y"])
    print(difference or "equal")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
