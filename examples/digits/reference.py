"""Both layers in numpy integers, and the check of what the RTL wrote against them.

`reference.py DIR` reads x, w1, mult1, zp1, w2 and compares h.npy and logits.npy of the same folder.
Exit 0: equal. 1: different. 2: wrong input.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

SHIFT = 15
"""The constant shift of layer 1; `layer1.toml` says the same."""


def layer1(x, w1, mult1, zp1):
    """h int8 [T, M] = saturate(half_even(x · w1ᵀ · mult1 / 2^15) + zp1); with zp1 = -128 a ReLU."""
    acc = x.astype(np.int64) @ w1.astype(np.int64).T
    scaled = half_even(acc * mult1.astype(np.int64), SHIFT)
    return np.clip(scaled + zp1.astype(np.int64), -128, 127).astype(np.int8)


def layer2(h, w2):
    """Logits int32 [T, 10] = h · w2ᵀ."""
    return (h.astype(np.int64) @ w2.astype(np.int64).T).astype(np.int32)


def half_even(n, shift):
    """n / 2^shift to the nearest integer, ties to even."""
    quotient, rest, half = n >> shift, n & ((1 << shift) - 1), 1 << (shift - 1)
    return quotient + ((rest > half) | ((rest == half) & (quotient % 2 == 1)))


def first_difference(name, expected, got):
    """One line on how `got` differs from `expected`, or None."""
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return f"{name}: expected {expected.dtype} {list(expected.shape)}, got {got.dtype} {list(got.shape)}"
    wrong = np.argwhere(got != expected)
    if len(wrong) == 0:
        return None
    at = tuple(wrong[0])
    place = ", ".join(str(i) for i in at)
    return f"{name}[{place}]: expected {expected[at]}, got {got[at]}; {len(wrong)} of {got.size} values differ"


def main():
    parser = argparse.ArgumentParser(description="Compare h.npy and logits.npy with both layers computed in numpy.")
    parser.add_argument("dir", type=Path, help="folder made by prepare.py, with h.npy and logits.npy added")
    folder = parser.parse_args().dir
    try:
        x, w1, mult1, zp1, w2, h, logits = (
            np.load(folder / f"{name}.npy") for name in ("x", "w1", "mult1", "zp1", "w2", "h", "logits")
        )
        # Layer 2 is judged on the reference's own h, so an error of layer 1 cannot hide.
        expected_h = layer1(x, w1, mult1, zp1)
        expected_logits = layer2(expected_h, w2)
    except (OSError, EOFError, ValueError) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 2
    pairs = (("h", expected_h, h), ("logits", expected_logits, logits))
    differences = [line for line in (first_difference(*pair) for pair in pairs) if line]
    for line in differences:
        print(line)
    if not differences:
        print(f"equal: h {list(h.shape)} and logits {list(logits.shape)}, every value")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
