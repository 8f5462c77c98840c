"""Writes what `bitlathe` and the other scripts read: activations, labels, test rows and weights as npy files."""

import argparse
import sys
from pathlib import Path

import numpy as np

import dataset
import reference
import weightfile

TENSORS = ("w1", "mult1", "zp1", "w2")


def main():
    parser = argparse.ArgumentParser(description="Write the example's tensors as npy files.")
    parser.add_argument("dir", type=Path, help="folder to write to, made if missing")
    parser.add_argument("--weights", type=Path, default=weightfile.FILE, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        weights, metadata = weightfile.read(arguments.weights)
        check(arguments.weights, weights, metadata)
    except (OSError, ValueError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 2
    pixels, labels = dataset.load()
    arrays = {name: weights[name] for name in TENSORS}
    arrays |= {"x": dataset.activations(pixels), "labels": labels, "test": dataset.split()[1]}
    arguments.dir.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(arguments.dir / f"{name}.npy", array)
        print(f"{arguments.dir / name}.npy: {array.dtype} {list(array.shape)}")
    return 0


def check(path, weights, metadata):
    """Refuses a file that lacks a tensor, is not ternary, or was trained for another shift."""
    missing = [name for name in TENSORS if name not in weights]
    if missing:
        raise ValueError(f"{path}: no tensor {', '.join(missing)}")
    for name in ("w1", "w2"):
        if not np.isin(weights[name], (-1, 0, 1)).all():
            raise ValueError(f"{path}: {name} holds values other than -1, 0 and 1")
    if metadata.get("shift1") != str(reference.SHIFT):
        raise ValueError(f"{path}: trained for shift {metadata.get('shift1')}, layer1.toml has {reference.SHIFT}")


if __name__ == "__main__":
    sys.exit(main())
