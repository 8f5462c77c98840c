"""Judges mixpe-gemm results in numpy and Python's integers, sharing no code with the model or the RTL; called by tests.

    mixpe_oracle.py DIR

DIR holds one folder a case: case.json (group; for requantized output bits, narrow, rounding, lanes, t_block and shift,
which shift.npy goes before), x.npy [T, K], w.npy [M, K], z.npy and s.npy [M, ceil(K/group)], mult.npy, shift.npy and
zp.npy where the job has them, and y.npy, the result to judge. Prints one JSON object a case, in the order of names: case,
compared, differences. Exit 0 when all cases were judged, whatever the verdicts; wrong input is exit 2; a missing package is
exit 3 and named.
"""

import itertools
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

try:
    import numpy as np
except ImportError as error:
    print(f"mixpe_oracle: the Python package {error.name} is missing", file=sys.stderr)
    sys.exit(3)

from ternary_oracle import bounds


def exact(t, group):
    """x times the weights brought to their size one by one, (u - z)·S, in integers without bounds."""
    x, w, z, s = (t[name].astype(object) for name in ("x", "w", "z", "s"))
    columns = w.shape[1]
    spread = [np.repeat(tensor, group, axis=1)[:, :columns] for tensor in (z, s)]
    return x @ ((w - spread[0]) * spread[1]).T


ROUNDINGS = {
    "half-even": round,
    "half-up": lambda v: math.floor(v + Fraction(1, 2)),
    "half-away": lambda v: (1 if v >= 0 else -1) * math.floor(abs(v) + Fraction(1, 2)),
    "floor": math.floor,
}


def drawn(lane, beat, bits):
    """The top bits of a lane's LFSR before its beat, as a fraction; the register is a window of one bit sequence."""
    seed = (lane + 1) * 0x9E37 % 2**16 or 1
    sequence = [seed >> n & 1 for n in range(15, -1, -1)]
    for n in range(beat):
        sequence.append(sequence[n] ^ sequence[n + 1] ^ sequence[n + 3] ^ sequence[n + 12])
    top = sequence[beat : beat + bits]
    return Fraction(sum(bit << (bits - 1 - n) for n, bit in enumerate(top)), 2**bits)


def beats(rows, columns, lanes, t_block):
    """The beat in which each (t, m) leaves."""
    number = itertools.count()
    where = {}
    for block in range(0, rows, t_block):
        for tile in range(0, columns, lanes):
            for t in range(block, min(block + t_block, rows)):
                beat = next(number)
                where |= {(t, m): beat for m in range(tile, min(tile + lanes, columns))}
    return where


def requantized(y, t, case):
    """Multiply, divide by the power of two with one rounding, add the zero point, saturate."""
    rows, columns = y.shape
    low, high = bounds(case["bits"], case["narrow"])

    def each(name, default):
        return np.broadcast_to(t.get(name, np.array([default])), (columns,)).tolist()

    mult, shift, zp = each("mult", None), each("shift", case.get("shift")), each("zp", 0)
    order = beats(rows, columns, case["lanes"], case["t_block"])
    result = np.zeros(y.shape, np.int64)
    for row, m in np.ndindex(y.shape):
        value = Fraction(y[row, m] * mult[m], 2 ** shift[m])
        if case["rounding"] == "stochastic":
            rounded = math.floor(value + drawn(m % case["lanes"], order[row, m], min(shift[m], 16)))
        else:
            rounded = ROUNDINGS[case["rounding"]](value)
        result[row, m] = min(max(rounded + zp[m], low), high)
    return result.astype(np.int8 if case["bits"] <= 8 else np.int16)


def judged(folder):
    """The verdict on one case; ValueError says what of its files makes no sense."""
    case = json.loads((folder / "case.json").read_text())
    t = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    want, got = exact(t, case["group"]), t["y"]
    want = requantized(want, t, case) if "mult" in t else want.astype(np.int64)
    if got.dtype != want.dtype or got.shape != want.shape:
        raise ValueError(f"y is {got.dtype} {list(got.shape)}, not {want.dtype} {list(want.shape)}")
    return {"case": folder.name, "compared": got.size, "differences": int((got != want).sum())}


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
        try:
            print(json.dumps(judged(folder)))
        except (OSError, KeyError, ValueError, OverflowError) as error:
            print(f"mixpe_oracle: {folder.name}: {error!r}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
