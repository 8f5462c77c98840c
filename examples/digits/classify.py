"""Turns logits into digits, prints the accuracy on training and test images, and draws some of them.

`classify.py DIR` reads logits.npy, labels.npy and test.npy.
Exit 0: accurate enough. 1: below the floor. 2: wrong input.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

import dataset

FLOOR = 0.93
COLUMNS, ROWS = 12, 5
CELL = (10, 12)
"""Width and height of one image with its caption, in pixels of the image."""


def read(folder):
    """Logits, labels and a mask of test rows; ValueError where they do not fit together."""
    logits, labels, test = (np.load(folder / f"{name}.npy") for name in ("logits", "labels", "test"))
    if logits.shape != (len(labels), 10):
        raise ValueError(f"logits.npy has shape {list(logits.shape)}, expected [{len(labels)}, 10]")
    is_test = np.zeros(len(labels), bool)
    is_test[test] = True
    return logits, labels, is_test


def picture(pixels, labels, predicted, rows):
    """An SVG of the images `rows`, the predicted digit below each; a wrong one is red with the right one beside it."""
    width, height = COLUMNS * CELL[0], -(-len(rows) // COLUMNS) * CELL[1]
    size = f'viewBox="-1 -1 {width} {height}" width="{8 * width}" height="{8 * height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="2.2" text-anchor="middle">',
        f'<rect x="-1" y="-1" width="{width}" height="{height}" fill="white"/>',
    ]
    for place, row in enumerate(rows):
        x, y = place % COLUMNS * CELL[0], place // COLUMNS * CELL[1]
        parts.append(f'<g transform="translate({x} {y})"><path d="M0 0h8v8h-8z" fill="#eee"/>')
        parts += [image_path(pixels[row], level) for level in range(1, 17) if (pixels[row] == level).any()]
        right = predicted[row] == labels[row]
        text = f"{predicted[row]}" if right else f"{predicted[row]}, is {labels[row]}"
        parts.append(f'<text x="4" y="10.2" fill="{"#333" if right else "#c00"}">{text}</text></g>')
    return "\n".join([*parts, "</svg>", ""])


def image_path(image, level):
    """All pixels of one image that have one gray level, as one path."""
    squares = "".join(f"M{i % 8} {i // 8}h1v1h-1z" for i in np.flatnonzero(image == level))
    gray = 238 - 14 * int(level)
    return f'<path d="{squares}" fill="rgb({gray},{gray},{gray})"/>'


def main():
    parser = argparse.ArgumentParser(description="Classify the digits from the logits.")
    parser.add_argument("dir", type=Path, help="folder with logits.npy, labels.npy and test.npy")
    parser.add_argument("--picture", type=Path, help="also draw the wrong test images, then right ones, as SVG")
    arguments = parser.parse_args()
    try:
        logits, labels, is_test = read(arguments.dir)
    except (OSError, EOFError, ValueError, IndexError) as error:
        print(f"classify: {error}", file=sys.stderr)
        return 2
    predicted = logits.argmax(axis=1)
    right = predicted == labels
    for name, rows in (("train", ~is_test), ("test", is_test)):
        print(f"{name}: {right[rows].sum()} of {rows.sum()} right, accuracy {right[rows].mean():.4f}")
    if arguments.picture:
        # A stable sort on "right" puts the wrong ones first, each group in the order of the file.
        test_rows = np.flatnonzero(is_test)
        shown = test_rows[np.argsort(right[test_rows], kind="stable")][: COLUMNS * ROWS]
        arguments.picture.write_text(picture(dataset.load()[0], labels, predicted, shown))
        print(f"wrote {arguments.picture}")
    if right[is_test].mean() < FLOOR:
        print(f"test accuracy is below {FLOOR}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
