"""The steps around the attention core: inputs, and the judgement and picture of what the RTL wrote.

`attention.py prepare DIR` writes q, k and v.
`attention.py judge DIR` compares o.npy with attention in double precision, prints MSE and SSIM, writes attention.png.
Exit 0: done, within the bounds. 1: outside them. 2: wrong input.
"""

import argparse
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "digits"))

import dataset  # noqa: E402

IMAGES = 1024
SEED = 1
NOISE = 0.25
"""Standard deviation of the noise; ink is 0 to 1."""

INPUT_FRAC, OUTPUT_FRAC = 12, 13
"""`attention.toml` says the same."""

MSE_BOUNDS = {"the same integers": 2.5e-9, "unquantized inputs": 4e-9}
"""Rounding o to 13 fraction bits alone makes 2^-26 / 12 = 1.24e-9; README.md says where the rest comes from."""

SSIM_BOUND = 0.9999
"""docs/attention.md has the same."""

WINDOW = 7
"""Pixels along a side of a window of SSIM."""

ACROSS = 32
"""Images along a side of the mosaic of all 1,024."""

SHOWN, MARGIN, GAP, ZOOM = 8, 1, 3, 4
"""Images along a side of a panel of the picture, pixels around each image and beside each panel, and the size of a pixel."""

SHOWN_UNITS = 2
"""The panel of differences is black at this many units in the last place of o, white at minus as many."""


def signals():
    """Clean images, noisy images and queries before they become integers, each float64 [IMAGES, 64].

    The stream of RandomState is frozen: every numpy draws the same noise.
    """
    clean = dataset.load()[0][:IMAGES] / 16
    noisy = clean + NOISE * np.random.RandomState(SEED).standard_normal(clean.shape)
    centred = noisy - noisy.mean(axis=0)
    return clean, noisy, centred / np.sqrt((centred**2).mean(axis=1, keepdims=True))


def fixed(values):
    """int16 [1, L, d] of one head: nearest, ties to even, saturated."""
    return np.clip(np.rint(values * 2**INPUT_FRAC), -(2**15), 2**15 - 1).astype(np.int16)[np.newaxis]


def prepare(folder):
    """q = k: the noisy images, normalised; v: the noisy images."""
    _, noisy, queries = signals()
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in {"q": queries, "k": queries, "v": noisy}.items():
        array = fixed(values)
        np.save(folder / f"{name}.npy", array)
        print(f"{folder / name}.npy: {array.dtype} {list(array.shape)}, {array.min()} to {array.max()}")
    return 0


def probabilities(q, k):
    """softmax(q·kᵀ / √d) in double precision."""
    logits = q @ k.T / np.sqrt(q.shape[1])
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def mse(a, b):
    return ((a - b) ** 2).mean()


def ssim(image, reference):
    """Mean structural similarity of two images: flat windows, statistics of samples, the range of the reference."""
    windows = lambda a: np.lib.stride_tricks.sliding_window_view(a, (WINDOW, WINDOW)).mean(axis=(2, 3))  # noqa: E731
    samples = WINDOW**2 / (WINDOW**2 - 1)
    mean_a, mean_b = windows(image), windows(reference)
    variance_a = samples * (windows(image**2) - mean_a**2)
    variance_b = samples * (windows(reference**2) - mean_b**2)
    covariance = samples * (windows(image * reference) - mean_a * mean_b)
    c1, c2 = (0.01 * np.ptp(reference)) ** 2, (0.03 * np.ptp(reference)) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return (luminance * (2 * covariance + c2) / (variance_a + variance_b + c2)).mean()


def mosaic(images):
    """All images as one, [256, 256], in the order of the file from the top left."""
    return tile(images.reshape(ACROSS, ACROSS, 8, 8))


def tile(images):
    """[rows, columns, height, width] as one image."""
    rows, columns, height, width = images.shape
    return images.swapaxes(1, 2).reshape(rows * height, columns * width)


def png(gray):
    """The bytes of a grayscale PNG of uint8 [height, width]."""

    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    height, width = gray.shape
    lines = b"".join(b"\0" + line.tobytes() for line in gray)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def picture(panels):
    """The first images of each panel, panels side by side; 0 is white, 1 black."""
    around, beside = (MARGIN, MARGIN), (GAP, GAP)
    squares = [images[: SHOWN**2].reshape(SHOWN, SHOWN, 8, 8) for images in panels]
    spaced = [np.pad(tile(np.pad(square, ((0, 0), (0, 0), around, around))), ((0, 0), beside)) for square in squares]
    gray = np.rint(255 * (1 - np.clip(np.hstack(spaced), 0, 1))).astype(np.uint8)
    return gray.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)


def judge(folder):
    """o against both references, as numbers, as an image and as a picture."""
    q, k, v, o = (np.load(folder / f"{name}.npy") for name in "qkvo")
    if o.shape != (1, IMAGES, 64) or o.dtype != np.int16:
        raise ValueError(f"o.npy is {o.dtype} {list(o.shape)}, expected int16 [1, {IMAGES}, 64]")
    clean, noisy, queries = signals()
    output = o[0] / 2**OUTPUT_FRAC
    q, k, v = (array[0] / 2**INPUT_FRAC for array in (q, k, v))
    weights = probabilities(queries, queries)
    exact = weights @ noisy
    references = {"the same integers": probabilities(q, k) @ v, "unquantized inputs": exact}
    good = True
    for name, reference in references.items():
        error, similarity = mse(output, reference), ssim(mosaic(output), mosaic(reference))
        good &= bool(error <= MSE_BOUNDS[name] and similarity >= SSIM_BOUND)
        print(f"core against float64 of {name}: MSE {error:.2e}, SSIM {similarity:.6f}")
    for name, images in {"noisy": noisy, "float64": exact, "core": output}.items():
        error, similarity = mse(images, clean), ssim(mosaic(images), mosaic(clean))
        print(f"{name} against clean images: MSE {error:.4f}, SSIM {similarity:.4f}")
    own, squared = np.diag(weights).mean(), (weights**2).sum(axis=1).mean()
    print(f"weight of an image on itself {own:.2f}, sum of the squared weights of a row {squared:.2f}")
    difference = 0.5 + (output - exact) * 2**OUTPUT_FRAC / (2 * SHOWN_UNITS)
    (folder / "attention.png").write_bytes(png(picture((clean, noisy, output, exact, difference))))
    print(f"wrote {folder / 'attention.png'}")
    if not good:
        print(f"outside the bounds: MSE {MSE_BOUNDS}, SSIM {SSIM_BOUND}")
    return 0 if good else 1


def main():
    steps = {"prepare": prepare, "judge": judge}
    parser = argparse.ArgumentParser(description="The steps around the attention core.")
    parser.add_argument("step", choices=steps, help="prepare, then sim, then judge")
    parser.add_argument("dir", type=Path, help="folder of the npy files")
    arguments = parser.parse_args()
    try:
        return steps[arguments.step](arguments.dir)
    except (OSError, EOFError, ValueError) as error:
        print(f"attention: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
