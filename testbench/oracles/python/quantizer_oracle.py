"""Judges quantizer results by libraries and exact arithmetic that share no code with the model; called by tests.

    quantizer_oracle.py DIR

DIR holds one folder a case: case.json, which names the judge and the parameters, the tensors of the job (x.npy, mult.npy,
…) and its results (y.npy, …). Prints one JSON object a case, in the order of names: case, judge, compared, differences,
largest (the largest difference of two numbers). Exit 0 when all cases were judged, whatever the verdicts; wrong input is
exit 2; a missing package is exit 3 and named.
"""

import functools
import json
import sys
from fractions import Fraction
from pathlib import Path

try:
    import ml_dtypes
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"quantizer_oracle: the Python package {error.name} is missing", file=sys.stderr)
    sys.exit(3)

from ternary_oracle import ROUNDINGS, bounds

OPSET = 21


def session(model_inputs, nodes, outputs, initializers=()):
    """A runnable ONNX graph; inputs and outputs are (name, element type, shape)."""
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "oracle", [info(*i) for i in model_inputs], [info(*o) for o in outputs], initializers
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def exact_float32(x):
    """x in float32; ValueError where that would round."""
    as_float = x.astype(np.float32)
    if (as_float.astype(np.int64) != x).any():
        raise ValueError("x does not fit float32")
    return as_float


def quantize_linear(t, case):
    """ONNX QuantizeLinear to int8 or int4 by onnxruntime, per tensor or per column."""
    kind = onnx.TensorProto
    target = {8: kind.INT8, 4: kind.INT4}[case["bits"]]
    x, scale = exact_float32(t["x"]), t["scale"].astype(np.float32)
    zero = t.get("zp", np.zeros(1, np.int8)).astype(np.int64)
    zero = np.broadcast_to(zero, scale.shape)
    # A scale of one element is per tensor, which ONNX wants as a scalar.
    shape = () if scale.size == 1 else scale.shape
    constants = [
        onnx.helper.make_tensor("scale", kind.FLOAT, shape, scale.ravel().tolist()),
        onnx.helper.make_tensor("zero", target, shape, zero.ravel().tolist()),
    ]
    nodes = [
        onnx.helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], axis=1),
        onnx.helper.make_node("Cast", ["q"], ["y"], to=kind.INT8),
    ]
    run = session([("x", kind.FLOAT, x.shape)], nodes, [("y", kind.INT8, x.shape)], constants)
    return {"y": run.run(None, {"x": x})[0]}


def dynamic_quantize_linear(t, case):
    """ONNX DynamicQuantizeLinear by onnxruntime; its uint8 is int8 with 128 added."""
    kind = onnx.TensorProto
    x = exact_float32(t["x"])
    node = onnx.helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])
    outputs = [("y", kind.UINT8, x.shape), ("scale", kind.FLOAT, ()), ("zero", kind.UINT8, ())]
    y, _, _ = session([("x", kind.FLOAT, x.shape)], [node], outputs).run(None, {"x": x})
    return {"y": (y.astype(np.int16) - 128).astype(np.int8)}


ELEMENTS = {
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
}


def microscaling(t, case):
    """OCP MX: the exponent by np.frexp, the elements by the casts of ml_dtypes (int8: np.rint)."""
    x = t["x"].astype(np.float64) * 2.0 ** -case["frac"]
    rows, columns = x.shape
    block = case["block"]
    padded = np.zeros((rows, -(-columns // block) * block))
    padded[:, :columns] = x
    blocks = padded.reshape(rows, -1, block)
    largest = np.abs(blocks).max(axis=2)
    element = ELEMENTS.get(case["element"])
    largest_finite = 127 / 64 if element is None else float(ml_dtypes.finfo(element).max)
    emax = int(np.floor(np.log2(largest_finite)))
    # frexp gives a significand in 0.5..1.
    shared = np.where(largest > 0, np.frexp(largest)[1] - 1 - emax, -127)
    scaled = np.clip(blocks / 2.0 ** shared[:, :, np.newaxis], -largest_finite, largest_finite)
    if element is None:
        codes = np.rint(scaled * 64).astype(np.int8)
    else:
        # x = 0 is +0: a block of zeros divides nothing but zeros.
        codes = scaled.astype(element).view(np.int8)
    return {"y": codes.reshape(rows, -1)[:, :columns], "e": (shared + 127).astype(np.uint8)}


def hadamard(t, case):
    """The Sylvester matrix as a Kronecker power, multiplied in int64."""
    x, size = t["x"].astype(np.int64), case["size"]
    matrix = functools.reduce(np.kron, [np.array([[1, 1], [1, -1]])] * (size.bit_length() - 1))
    return {"y": (x.reshape(-1, size) @ matrix.T).reshape(x.shape).astype(np.int32)}


def per_column(t, name, columns, default=0):
    """A tensor of [C] or [1] as [C]."""
    return np.broadcast_to(t.get(name, np.array([default])).astype(np.int64), (columns,))


def requant(t, case):
    """The roundings that ONNX does not have, in int64; `pot` has no multiplier."""
    x = t["x"].astype(np.int64)
    mult, shift = (per_column(t, name, x.shape[1], default) for name, default in (("mult", 1), ("shift", case["shift"])))
    low, high = bounds(case["bits"], case["narrow"])
    y = ROUNDINGS[case["rounding"]](x * mult, shift) + per_column(t, "zp", x.shape[1])
    return {"y": np.clip(y, low, high).astype(np.int8)}


def dual_scale(t, case):
    """Two regions; `iqr` takes its threshold from the sorted magnitudes of the tensor."""
    x, bits = t["x"].astype(np.int64), case["bits"]
    results = {}
    if case["method"] == "iqr":
        coarse = case["input_bits"] - 8
        ordered = np.sort(np.abs(x).ravel() >> coarse)
        q1, q3 = (int(ordered[-(-quarters * x.size // 4) - 1]) for quarters in (1, 3))
        fence = Fraction(q3) + Fraction(3, 2) * (q3 - q1)
        threshold = min(int(fence) << coarse, 2 ** (case["input_bits"] - 1) - 1)
        results["thr"] = np.array([threshold], np.int32)
    else:
        threshold = int(t["thr"][0])
    outside = np.abs(x) > threshold
    inner, outer = np.broadcast_to(t["mult"].astype(np.int64), (2, x.shape[1]))
    q = ROUNDINGS[case["rounding"]](x * np.where(outside, outer, inner), np.int64(case["shift"]))
    limit = 2 ** (bits - 2) - 1
    codes = np.clip(q, -limit, limit) % 2 ** (bits - 1) + outside * 2 ** (bits - 1)
    return results | {"y": codes.astype(np.uint8).view(np.int8)}


def absmax(t, case):
    """Rows by exact fractions; Python's round goes to even."""
    width, top = case["input_bits"], 2 ** (case["bits"] - 1) - 1
    rows, largest = [], []
    for row in t["x"].tolist():
        a = max(abs(v) for v in row)
        largest.append(a)
        shift = width - a.bit_length()
        reciprocal = 0 if a == 0 else (top << (width + 8)) // (a << shift)
        rows.append([round(Fraction((v << shift) * reciprocal, 1 << (width + 8))) for v in row])
    return {"y": np.array(rows, np.int8), "amax": np.array(largest, np.uint32)}


def ovp(t, case):
    """Outlier-victim pairs by nearest search in the list of what codes stand for."""
    x = t["x"].astype(np.int64)
    v = ROUNDINGS["half-even"](x * per_column(t, "mult", x.shape[1]), np.int64(case["shift"]))
    normal = {sign * m: (sign < 0) * 8 + m for sign in (1, -1) for m in range(1, 8)} | {0: 0}
    outliers = {
        sign * (2 + code % 2) * 2 ** (2 + code // 2): (sign < 0) * 8 + code for sign in (1, -1) for code in range(1, 8)
    }

    def nearest(value, table):
        return table[min(table, key=lambda worth: (abs(worth - value), abs(worth)))]

    def pair(values):
        wild = [abs(value) > 9 for value in values] if len(values) == 2 else [False]
        if not any(wild):
            return [nearest(value, normal) for value in values]
        survivor = wild.index(True)
        return [nearest(value, outliers) if i == survivor else 8 for i, value in enumerate(values)]

    rows = [[code for i in range(0, len(row), 2) for code in pair(row[i : i + 2])] for row in v.tolist()]
    return {"y": np.array(rows, np.int8)}


def stochastic(t, case):
    """The 4-bit LFSR as the sequence of its bits, b[n] = b[n-3] ^ b[n-4]; lanes read it in rotated order."""
    x, lanes, seeds = t["x"].astype(np.int64), case["lanes"], case["seeds"]
    rows, columns = x.shape
    beats = -(-columns // lanes)

    def bits(seed):
        sequence = [seed >> n & 1 for n in (3, 2, 1, 0)]
        while len(sequence) < rows * beats + 4:
            sequence.append(sequence[-3] ^ sequence[-4])
        return sequence

    sequences = [bits(seed) for seed in seeds]
    low, high = bounds(case["bits"], case["narrow"])
    y = np.zeros(x.shape, np.int8)
    for r, c in np.ndindex(x.shape):
        s3, s2, s1, s0 = sequences[c % lanes % len(seeds)][r * beats + c // lanes :][:4]
        drawn = 8 * s0 + 4 * s3 + 2 * s2 + s1
        sixteenths = Fraction(int(x[r, c]) * 16, 2 ** case["shift"])
        rounded = (int(sixteenths // 1) + drawn) // 16
        y[r, c] = min(max(rounded, low), high)
    return {"y": y}


JUDGES = {
    "onnxruntime QuantizeLinear": quantize_linear,
    "onnxruntime DynamicQuantizeLinear": dynamic_quantize_linear,
    "ml_dtypes": microscaling,
    "numpy Hadamard matrix": hadamard,
    "requant in int64": requant,
    "dual-scale in numpy": dual_scale,
    "absmax in fractions": absmax,
    "ovp by search": ovp,
    "stochastic by bit sequence": stochastic,
}


def judged(folder):
    """The verdict on one case; ValueError says what of its files makes no sense."""
    case = json.loads((folder / "case.json").read_text())
    tensors = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    compared = differences = largest = 0
    for name, want in JUDGES[case["judge"]](tensors, case).items():
        got = tensors[name]
        if got.dtype != want.dtype or got.shape != want.shape:
            raise ValueError(f"{name} is {got.dtype} {list(got.shape)}, not {want.dtype} {list(want.shape)}")
        off = np.abs(got.astype(np.int64) - want.astype(np.int64))
        compared += off.size
        differences += int((off != 0).sum())
        largest = max(largest, int(off.max()))
    verdict = {"judge": case["judge"], "compared": compared, "differences": differences, "largest": largest}
    return {"case": folder.name} | verdict


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
        try:
            print(json.dumps(judged(folder)))
        except (OSError, KeyError, ValueError) as error:
            print(f"quantizer_oracle: {folder.name}: {error!r}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
