"""Prints what the demo found and where the files are: summary.py DIR, the folder that `make demo` filled."""

import json
import pathlib
import sys


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: summary.py DIR", file=sys.stderr)
        return 2
    folder = pathlib.Path(sys.argv[1])
    rows = [("", "layer 1", "layer 2")]
    try:
        sim = [json.loads((folder / f"layer{n}-sim.json").read_text()) for n in (1, 2)]
        synth = [json.loads((folder / f"layer{n}-synth.json").read_text()) for n in (1, 2)]
        accuracy = (folder / "accuracy.txt").read_text().strip()
    except (OSError, ValueError) as error:
        print(f"summary.py: {error}; run `make demo` first", file=sys.stderr)
        return 2
    rows.append(("cycles, simulated", *(f"{s['cycles']:,}" for s in sim)))
    rows.append(("cycles, predicted", *(f"{s['predicted_cycles']:,}" for s in sim)))
    rows.append(("utilization", *(f"{s['utilization']:.1%}" for s in sim)))
    for key, name in (("lut", "LUT sites"), ("ff", "flip-flops"), ("dsp", "DSP blocks"), ("bram", "block RAMs")):
        rows.append((f"{name}, Yosys {synth[0]['flow']}", *(f"{s[key]:,}" for s in synth)))
    rows.append(("LUT sites per multiply-add", *(f"{s['lut_per_mac']:.2f}" for s in synth)))
    print()
    for name, first, second in rows:
        print(f"{name:34}{first:>12}{second:>12}")
    print(f"\n{accuracy}\n")
    for path, what in (
        ("layer1/datasheet.html", "datasheet of layer 1"),
        ("layer2/datasheet.html", "datasheet of layer 2"),
        ("layer1/rtl", "Verilog of layer 1"),
        ("layer2/rtl", "Verilog of layer 2"),
        ("digits.svg", "classified digits"),
    ):
        print(f"{what:24}{folder / path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
