"""Judges attention results from the definition of docs/attention.md, sharing no code with the model or the RTL; called by tests.

    attention_oracle.py DIR

DIR holds one folder a case: case.json (bits, frac, p_bits, output_bits, output_frac, tile, causal), q.npy [H, Lq, d], k.npy
and v.npy [Hkv, Lk, d], and o.npy, the result to judge. All arithmetic is in Python's integers, fractions and 60-digit
decimals. Prints one JSON object a case, in the order of names: case, compared, differences, first (where they differ first),
mse and ssim, the mean squared error and structural similarity (null for heads under 7 x 7 or constant ones) of o against
attention of the same integers in double precision. Exit 0 when all cases were judged, whatever the verdicts; wrong input is
exit 2; a missing package is exit 3 and named.
"""

import json
import math
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from functools import cache
from pathlib import Path

try:
    import numpy as np
except ImportError as error:
    print(f"attention_oracle: the Python package {error.name} is missing", file=sys.stderr)
    sys.exit(3)

from ternary_oracle import bounds

getcontext().prec = 60
LN2 = Decimal(2).ln()


def half_up(numerator, shift):
    """floor(numerator / 2^shift + 1/2); nothing under 2^99 outlives a hundred places."""
    return math.floor(Fraction(numerator, 2 ** min(shift, 100)) + Fraction(1, 2))


def nearest(value):
    """The integer nearest to a positive decimal that is no tie."""
    return int(value + Decimal("0.5"))


@cache
def scale(d, frac):
    """C and r: the largest r with a C of at most 65535, found from above."""
    exact = Decimal(2) ** 12 / LN2 / (Decimal(d).sqrt() * Decimal(2) ** (2 * frac))
    r = next(r for r in range(60, -1, -1) if nearest(exact * 2**r) <= 65535)
    return nearest(exact * 2**r), r


@cache
def points(p_bits):
    return [nearest(Decimal(2) ** (p_bits + 2 - Decimal(i) / 16)) for i in range(17)]


@cache
def probability(u, p_bits):
    ip, rest = divmod(u, 2**12)
    i, g = divmod(rest, 2**8)
    b = points(p_bits)
    e = 256 * b[i] - (b[i] - b[i + 1]) * g
    return min(2**p_bits - 1, half_up(e, 10 + ip))


def state(t, v, case):
    """l and O of one query from the logits and the values of the keys that it sees."""
    maximum, l, o = None, 0, np.zeros(v.shape[1], object)
    for first in range(0, len(t), case["tile"]):
        logits = t[first : first + case["tile"]]
        largest = math.ceil(Fraction(max(logits), 2**12))
        above = largest if maximum is None else max(maximum, largest)
        delta = 0 if maximum is None else above - maximum
        p = np.array([probability(above * 2**12 - logit, case["p_bits"]) for logit in logits], object)
        l = half_up(l, delta) + int(p.sum()) * 2**8
        o = np.array([half_up(each, delta) for each in o], object) + p @ v[first : first + len(p)] * 2**8
        maximum = above
    return l, o


def output(l, o, case):
    """The quotients of a row, by a reciprocal of l in a register of 64 bits."""
    width, gain = 64, case["output_frac"] - case["frac"]
    zeros = width - l.bit_length()
    reciprocal = 2 ** (width + 17) // (l << zeros)
    low, high = bounds(case["output_bits"], False)
    exact = (Fraction(each * reciprocal, 2 ** (width + 17 - zeros)) * Fraction(2) ** gain for each in o)
    return [min(max(round(each), low), high) for each in exact]


def heads(q, k, v):
    """Each head of q with its own of k and v."""
    for h in range(len(q)):
        shared = h * len(k) // len(q)
        yield q[h], k[shared], v[shared]


def seen(i, lq, lk, causal):
    """The keys that query i sees."""
    return [j for j in range(lk) if not causal or j <= i + lk - lq]


def attention(q, k, v, case):
    """The right output of one head."""
    c, r = scale(q.shape[1], case["frac"])
    scores = q @ k.T
    rows = []
    for i, row in enumerate(scores):
        keys = seen(i, len(q), len(k), case["causal"])
        t = [half_up(row[j] * c, r) for j in keys]
        rows.append(output(*state(t, v[keys], case), case))
    return rows


def reference(q, k, v, causal):
    """One head in double precision."""
    logits = q @ k.T / math.sqrt(q.shape[1])
    if causal:
        logits[~np.tri(len(q), len(k), len(k) - len(q), dtype=bool)] = -np.inf
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return p @ v / p.sum(axis=1, keepdims=True)


def similarity(x, y):
    """Mean structural similarity of two images, windows of 7 x 7 wholly inside, statistics of samples, range of y."""
    if min(x.shape) < 7 or y.max() == y.min():
        return None
    x, y = (np.lib.stride_tricks.sliding_window_view(a, (7, 7)).reshape(-1, 49) for a in (x, y))
    c1, c2 = ((factor * (y.max() - y.min())) ** 2 for factor in (0.01, 0.03))
    mx, my = x.mean(axis=1), y.mean(axis=1)
    sxy = ((x - mx[:, None]) * (y - my[:, None])).sum(axis=1) / 48
    luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    structure = (2 * sxy + c2) / (x.var(axis=1, ddof=1) + y.var(axis=1, ddof=1) + c2)
    return float((luminance * structure).mean())


def judged(folder):
    """The verdict on one case; ValueError says what of its files makes no sense."""
    case = json.loads((folder / "case.json").read_text())
    q, k, v, got = (np.load(folder / f"{name}.npy") for name in "qkvo")
    dtype = np.dtype(f"int{case['output_bits']}")
    if got.dtype != dtype or got.shape != q.shape:
        raise ValueError(f"o is {got.dtype} {list(got.shape)}, not {dtype} {list(q.shape)}")
    integers = [x.astype(object) for x in (q, k, v)]
    want = np.array([attention(*head, case) for head in heads(*integers)], dtype)
    wrong = np.argwhere(want != got)
    first = None
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        first = f"o{list(at)}: expected {want[at]}, got {got[at]}"
    real = [x / 2.0 ** case["frac"] for x in (q, k, v)]
    exact = np.array([reference(*head, case["causal"]) for head in heads(*real)])
    o = got / 2.0 ** case["output_frac"]
    similarities = [similarity(*images) for images in zip(o, exact)]
    return {
        "case": folder.name,
        "compared": got.size,
        "differences": len(wrong),
        "first": first,
        "mse": float(((o - exact) ** 2).mean()),
        "ssim": None if None in similarities else sum(similarities) / len(similarities),
    }


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
        try:
            print(json.dumps(judged(folder)))
        except (OSError, KeyError, ValueError, OverflowError) as error:
            print(f"attention_oracle: {folder.name}: {error!r}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
