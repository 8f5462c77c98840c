"""Runs the digits network on a KV260 under PYNQ: both layers, on the two cores of one bitstream.

`digits.py DIR` reads x.npy, w1.npy, mult1.npy, zp1.npy and w2.npy as examples/digits/prepare.py writes them, and writes h.npy and
logits.npy beside them, for examples/digits/reference.py and classify.py. Exit 0: done. 2: wrong input.
"""

import argparse
import sys
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description="Run both layers of the digits network on the board.")
    parser.add_argument("dir", type=Path, help="folder with the arrays")
    parser.add_argument("--bitstream", type=Path, required=True, help="design.bit, with design.hwh beside it")
    parser.add_argument("--driver", type=Path, action="append", required=True, help="the folder pynq/ of each package")
    arguments = parser.parse_args()
    sys.path[:0] = map(str, arguments.driver)
    try:
        x, w1, mult1, zp1, w2 = (np.load(arguments.dir / f"{name}.npy") for name in ("x", "w1", "mult1", "zp1", "w2"))
        # PYNQ knows a driver whose class is there before the bitstream is loaded.
        from digits_layer1_axi import DigitsLayer1Axi
        from digits_layer2_axi import DigitsLayer2Axi
    except (OSError, ImportError) as error:
        print(f"digits: {error}", file=sys.stderr)
        return 2
    from pynq import Overlay

    overlay = Overlay(str(arguments.bitstream))
    layers = [DigitsLayer1Axi.of(overlay), DigitsLayer2Axi.of(overlay)]
    h = layers[0].run(x=x, w=w1, mult=mult1, zp=zp1)["y"]
    logits = layers[1].run(x=h, w=w2)["y"]
    for name, array in (("h", h), ("logits", logits)):
        np.save(arguments.dir / f"{name}.npy", array)
    for number, layer in enumerate(layers, 1):
        print(f"layer {number}: {layer.counters()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
