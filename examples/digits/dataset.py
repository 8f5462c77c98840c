"""The 1,797 handwritten digits: pixels, labels, the split, and the int8 activations made of them.

Imported by the other scripts here. Run by itself it compares `digits.npz` with scikit-learn's copy,
or rewrites it from there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("digits.npz")

IMAGES = 1797
TRAIN_IMAGES = 1437
"""The first 1,437 images train, the last 360 test, in the file's own order; a shuffled split is an easier task."""

PIXEL_GAIN = 8
PIXEL_OFFSET = 64
CONSTANT = 64
"""x = 8 * pixel - 64 for pixels 0..16, so -64..64; a 65th activation is always 64 and carries the bias of layer 1."""


def load():
    """Pixels, uint8 [1797, 64] in 0..16, row by row from the top left, and labels, uint8 [1797] in 0..9."""
    with np.load(FILE) as file:
        return file["pixels"], file["labels"]


def activations(pixels):
    """The int8 activations [T, 65] of pixels [T, 64] in 0..16."""
    scaled = pixels.astype(np.int64) * PIXEL_GAIN - PIXEL_OFFSET
    constant = np.full((len(pixels), 1), CONSTANT)
    return np.concatenate([scaled, constant], axis=1).astype(np.int8)


def split():
    """Indices of the training and of the test images."""
    return np.arange(TRAIN_IMAGES), np.arange(TRAIN_IMAGES, IMAGES)


def from_scikit_learn():
    """The same two arrays as `load`, from scikit-learn."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data.astype(np.uint8), digits.target.astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description="Compare digits.npz with scikit-learn's digits (needs scikit-learn).")
    parser.add_argument("--write", action="store_true", help="rewrite digits.npz from scikit-learn instead")
    write = parser.parse_args().write
    pixels, labels = from_scikit_learn()
    if write:
        np.savez_compressed(FILE, pixels=pixels, labels=labels)
        print(f"wrote {FILE}")
        return 0
    ours = load()
    equal = np.array_equal(ours[0], pixels) and np.array_equal(ours[1], labels)
    print("equal to scikit-learn's digits" if equal else f"{FILE} differs from scikit-learn's digits")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
