"""The steps around the two cores: inputs, scales, and the judgement of what the RTL wrote.

`int4.py prepare DIR` writes x, labels and test; `bitlathe pack` then writes w, z, s and exp of each layer.
`int4.py scale DIR` makes mult1 and zp1 of exp1.
`int4.py judge DIR` compares h.npy and y.npy with numpy integers, writes logits.npy and prints the accuracies.
Exit 0: done, equal. 1: different. 2: wrong input.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "digits"))

import dataset  # noqa: E402
import reference  # noqa: E402
import weightfile  # noqa: E402

SHIFT = 32
"""The constant shift of layer 1; `layer1.toml` says the same."""

GROUP = 32
"""Columns that share a zero point and a scale; both configs say the same."""

ZERO_POINT = -128


def prepare(folder):
    """Activations, labels and the rows of the test images."""
    pixels, labels = dataset.load()
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in {"x": dataset.activations(pixels), "labels": labels, "test": dataset.split()[1]}.items():
        np.save(folder / f"{name}.npy", array)
        print(f"{folder / name}.npy: {array.dtype} {list(array.shape)}")
    return 0


def scale(folder):
    """mult1 = 2^(SHIFT - exp1): with the shift it undoes the scale of each row of weights."""
    exponents = SHIFT - np.load(folder / "exp1.npy").astype(np.int64)
    if exponents.min() < 0 or exponents.max() > 15:
        raise ValueError(f"exp1 wants multipliers 2^{exponents.min()} to 2^{exponents.max()}; another shift is needed")
    np.save(folder / "mult1.npy", (1 << exponents).astype(np.uint16))
    np.save(folder / "zp1.npy", np.full(len(exponents), ZERO_POINT, np.int8))
    print(f"mult1: 2^{exponents.min()} to 2^{exponents.max()}")
    return 0


def product(a, w, z, s):
    """y int64 [T, M] = sum over columns of a · (u - z) · S, z and S those of the column's group."""
    each = np.arange(w.shape[1]) // GROUP
    weights = (w.astype(np.int64) - z.astype(np.int64)[:, each]) * s.astype(np.int64)[:, each]
    return a.astype(np.int64) @ weights.T


def layer1(x, w, z, s, mult, zero_point):
    """h int8 [T, M]."""
    scaled = reference.half_even(product(x, w, z, s) * mult.astype(np.int64), SHIFT)
    return np.clip(scaled + zero_point.astype(np.int64), -128, 127).astype(np.int8)


def judge(folder):
    """Both layers against numpy, layer 2 on numpy's own h, so that an error of layer 1 cannot hide."""
    load = lambda *names: [np.load(folder / f"{name}.npy") for name in names]  # noqa: E731
    expected_h = layer1(*load("x", "w1", "z1", "s1", "mult1", "zp1"))
    expected_y = product(expected_h, *load("w2", "z2", "s2"))
    h, y, exponents, labels, test = load("h", "y", "exp2", "labels", "test")
    pairs = (("h", expected_h, h), ("y", expected_y, y))
    differences = [line for line in (reference.first_difference(*pair) for pair in pairs) if line]
    for line in differences:
        print(line)
    if differences:
        return 1
    print(f"equal: h {list(h.shape)} and y {list(y.shape)}, every value")
    logits = y * np.exp2(-exponents.astype(np.float64))
    np.save(folder / "logits.npy", logits)
    accuracy = (logits.argmax(axis=1) == labels)[test].mean()
    print(f"test accuracy with four-bit weights {accuracy:.4f}")
    for name, path in (("real", HERE / "weights.safetensors"), ("ternary", weightfile.FILE)):
        print(f"test accuracy with {name} weights {weightfile.read(path)[1]['test_accuracy']}")
    return 0


def main():
    steps = {"prepare": prepare, "scale": scale, "judge": judge}
    parser = argparse.ArgumentParser(description="The steps around the two cores of the digits network.")
    parser.add_argument("step", choices=steps, help="prepare, then pack and scale, then sim and judge")
    parser.add_argument("dir", type=Path, help="folder of the npy files")
    arguments = parser.parse_args()
    try:
        return steps[arguments.step](arguments.dir)
    except (OSError, EOFError, KeyError, ValueError) as error:
        print(f"int4: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
