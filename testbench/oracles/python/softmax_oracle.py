"""Judges softmax results from the definitions of docs/softmax.md, sharing no code with the model or the RTL; called by tests.

    softmax_oracle.py DIR ...

Each DIR holds x.npy [R, N], y.npy [R, N], sum.npy [R] for a raw output, octave.npy [R, beats] for a single pass, and
softmax.json: method, scale, output, and where the method has them width, n, segments, octave_bits, line; passes (3 if
absent) and lanes. All arithmetic is in Python's integers, fractions and 60-digit decimals.
Prints one JSON object a folder: difference (null, or the first one), and the largest total variation and error of y
against softmax in floating point. Exit 0 when nothing differs, 1 otherwise; wrong input is exit 2.
"""

import json
import math
import sys
from decimal import Decimal, getcontext
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

getcontext().prec = 60
HALF = Fraction(1, 2)
LN2 = Decimal(2).ln()


def half_up(value):
    """floor(value + 1/2) of a Fraction."""
    return math.floor(value + HALF)


def half_even(value):
    """The nearest integer to a Fraction or Decimal, ties to even."""
    return round(value)


def octaves(q):
    """2^q, stopped at 2^200: values under 2^64 vanish long before, and four thousand million octaves take all memory."""
    return 2 ** min(q, 200)


def decimal(value):
    """A Fraction as a Decimal of 60 digits."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def reduced(d, x0, n):
    """q and r of -d: clamped to n·x0, q = floor(xi / x0), x0 < r <= 0."""
    xi = max(-d, n * x0)
    q = math.floor(Fraction(xi, x0))
    return q, xi - x0 * q


def linmax(s, job):
    x0 = math.floor(Fraction("-0.6931") / s)
    b = math.floor(Fraction("0.12121466") / Fraction("0.08947606") / s)
    n = job["n"]

    def e(d):
        q, r = reduced(d, x0, n)
        return max(0, (r + b) * 2 ** (n - q))

    return e


def ibert(s, job):
    a, b, c = Fraction("0.35815147"), Fraction("0.96963238"), Fraction(1)
    x0 = math.floor(Fraction("-0.6931") / s)
    linear, constant = math.floor(b / a / s), math.floor(c / a / s**2)
    n = job["n"]

    def e(d):
        q, r = reduced(d, x0, n)
        return ((r + linear) * r + constant) * 2 ** (n - q)

    return e


def shiftmax(s, job):
    x0 = math.trunc(-1 / s - 1)
    n = job["n"]

    def e(d):
        x = -d
        p = max(x + math.floor(Fraction(x, 2)) - math.floor(Fraction(x, 16)), n * x0)
        q = math.trunc(Fraction(p, x0))
        return (math.floor(Fraction(p - q * x0, 2)) - x0) * 2 ** (n - q)

    return e


def step(s):
    """C = half-even(s·log2(e)·2^16)."""
    return half_even(decimal(s) / LN2 * 2**16)


def linmax_plus(s, job):
    width, c = job["width"], step(s)
    slope, intercept = (half_even(Fraction(line) * 2**width) for line in ("0.49616", "0.96972"))

    def e(d):
        q, f = divmod(d * c, 2**16)
        return half_up((intercept - slope * Fraction(f, 2**16)) / octaves(q))

    return e


def pwl(s, job):
    width, k, c = job["width"], job["segments"], step(s)
    points = [half_even(Decimal(2) ** (Decimal(-i) / k) * (2**width - 1)) for i in range(k + 1)]

    def e(d):
        q, f = divmod(d * c, 2**16)
        i, g = divmod(Fraction(f * k, 2**16), 1)
        return half_up((points[i] + (points[i + 1] - points[i]) * g) / octaves(q))

    return e


def exp_table(s, job):
    top = 2 ** job["width"] - 1
    return lambda d: half_even((-decimal(s) * d).exp() * top) if d < 256 else 0


def base2(s, job):
    width, bits = job["width"], job["octave_bits"]

    def entry(j):
        if job["line"]:
            return Fraction((2 ** (bits + 1) - j) * 2**width, 2 ** (bits + 1))
        return half_even(Decimal(2) ** (Decimal(-j) / 2**bits) * (2**width - 1))

    def e(d):
        q, j = divmod(d, 2**bits)
        return half_up(Fraction(entry(j), octaves(q)))

    return e


METHODS = {
    "linmax": linmax,
    "linmax-plus": linmax_plus,
    "exp-table": exp_table,
    "base2": base2,
    "pwl": pwl,
    "ibert": ibert,
    "shiftmax": shiftmax,
}


def beats(x, lanes):
    return [x[at : at + lanes] for at in range(0, len(x), lanes)]


def three_passes(e, x, job):
    """Exponentials, their sum, and no octaves."""
    values = [e(max(x) - v) for v in x]
    return values, sum(values), []


def online(e, x, job):
    """The running maximum in whole octaves; one pass keeps each beat's own, two count from the last."""
    octave = 2 ** job["octave_bits"]
    maximum, total, maxima, values = None, 0, [], []
    for beat in beats(x, job["lanes"]):
        own = math.ceil(Fraction(max(beat), octave))
        now = own if maximum is None else max(maximum, own)
        if maximum is not None:
            total = half_up(Fraction(total, octaves(now - maximum)))
        exponentials = [e(now * octave - v) for v in beat]
        total += sum(exponentials)
        values += exponentials
        maxima.append(now)
        maximum = now
    if job["passes"] == 1:
        return values, total, maxima
    return [e(maximum * octave - v) for v in x], total, []


def itamax(x):
    """Probabilities of pulp ITA's streaming softmax, 255 for one: blocks of 16, shifts of half-up(d / 32)."""
    shift = lambda d: half_up(Fraction(d, 32))
    maximum, total = -128, 0
    for block in beats(x, 16):
        now = max([maximum] + block)
        total = math.floor(Fraction(total, 2 ** shift(now - maximum)))
        total += sum(math.floor(Fraction(256, 2 ** shift(now - v))) for v in block)
        maximum = now
    inverse = 65280 // total
    return [inverse >> shift(maximum - v) for v in x]


def divided(e, total, bits):
    """e / total in `bits` by the reciprocal of a sum held in 63 bits."""
    width = 63
    zeros = width - total.bit_length()
    reciprocal = 2 ** (width + 17) // (total << zeros)
    return min(2**bits - 1, half_up(Fraction(e * reciprocal, 2 ** (width + 17 - zeros - bits))))


def logarithm(e, total):
    """The four-bit logarithm of total / e."""
    if e == 0:
        return 15
    ratio = half_even(Fraction(total, e))
    whole = ratio.bit_length() - 1
    rest = ratio - 2**whole
    return min(15, whole + (rest >= Fraction(2**whole, 2)))


OUTPUTS = {
    "u8": (np.uint8, lambda e, total: divided(e, total, 8), lambda y, total: y / 256),
    "u16": (np.uint16, lambda e, total: divided(e, total, 16), lambda y, total: y / 65536),
    "log2-4": (np.uint8, logarithm, lambda y, total: 2.0**-y),
    "raw": (np.uint64, lambda e, total: e, lambda y, total: y / total),
}


def expected(x, job):
    """The right tensors for the rows of x, and their probabilities."""
    dtype, finish, meaning = OUTPUTS[job["output"]]
    if job["method"] == "itamax":
        y = np.array([itamax(row) for row in x], np.uint8)
        return {"y": y}, y / 255
    e = cache(METHODS[job["method"]](Fraction(job["scale"]), job))
    walk = three_passes if job.get("passes", 3) == 3 else online
    rows = [walk(e, row, job) for row in x]
    y = [[finish(value, total) for value in values] for values, total, _ in rows]
    probabilities = [[meaning(v, total) for v in row] for row, (_, total, _) in zip(y, rows)]
    tensors = {"y": np.array(y, dtype)}
    if job["output"] == "raw":
        tensors["sum"] = np.array([total for _, total, _ in rows], np.uint64)
    if job.get("passes", 3) == 1:
        tensors["octave"] = np.array([maxima for _, _, maxima in rows], np.int32)
    return tensors, np.array(probabilities, np.float64)


def first_difference(name, want, got):
    """One line on how `got` differs from `want`, or None."""
    if got.dtype != want.dtype or got.shape != want.shape:
        return f"{name}: expected {want.dtype} {list(want.shape)}, got {got.dtype} {list(got.shape)}"
    wrong = np.argwhere(got != want)
    if len(wrong) == 0:
        return None
    at = tuple(wrong[0])
    place = ", ".join(str(index) for index in at)
    return f"{name}[{place}]: expected {want[at]}, got {got[at]}; {len(wrong)} of {got.size} values differ"


def softmax(logits):
    """The reference in double precision."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def judge(folder):
    """The verdict on one folder."""
    job = json.loads((folder / "softmax.json").read_text())
    x = np.load(folder / "x.npy")
    tensors, probabilities = expected(x.tolist(), job)
    errors = np.abs(probabilities - softmax(x.astype(np.float64) * job["scale"]))
    differences = (first_difference(name, want, np.load(folder / f"{name}.npy")) for name, want in tensors.items())
    return {
        "folder": str(folder),
        "difference": next((d for d in differences if d), None),
        "total_variation": errors.sum(axis=1).max() / 2,
        "max_error": errors.max(),
    }


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        verdicts = [judge(Path(folder)) for folder in sys.argv[1:]]
    except (OSError, EOFError, KeyError, ValueError) as error:
        print(f"softmax_oracle: {error!r}", file=sys.stderr)
        return 2
    for verdict in verdicts:
        print(json.dumps(verdict))
    return 1 if any(verdict["difference"] for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
