"""Runs fpga/kv260/digits.py on a stand-in for the board: two cores, each computing what examples/digits/reference.py does.

Called by generator/flow/tests/packages.rs:  digits.py REPOSITORY LAYER1 LAYER2 DESIGN ARRAYS
The packages of both layers, the folder that design.tcl wrote, a folder for the arrays.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
REPOSITORY, LAYERS, DESIGN, ARRAYS = Path(sys.argv[1]), [Path(a) for a in sys.argv[2:4]], Path(sys.argv[4]), Path(sys.argv[5])
sys.path[:0] = [str(REPOSITORY / "examples/digits"), str(REPOSITORY / "fpga/kv260")]
import numpy as np  # noqa: E402
import pynq  # noqa: E402
import reference  # noqa: E402


class Core:
    """Registers that keep what is written, and streams: what comes must be the beats of the inputs, what leaves are those of the output."""

    def __init__(self, package, inputs, output):
        self.interface = json.loads((package / "pynq" / package.name / "interface.json").read_text())
        self.layout = importlib.import_module(f"{package.name}.layout")
        self.words = {r["offset"]: sum(f["reset"] << f["lsb"] for f in r["fields"]) for r in self.interface["registers"]}
        self.sizes = {"T": len(output), "K": inputs["x"].shape[1], "M": output.shape[1]}
        self.tensors = inputs | {"y": output}
        self.left = {s["name"]: self.beats(s) for s in self.interface["streams"]}
        self.moving = []

    def beats(self, stream):
        data, repeats = self.layout.pack(stream, self.sizes, self.tensors[stream["name"]], self.interface["codes"])
        return bytes(np.tile(data, repeats))

    def read(self, offset):
        return self.words[offset]

    def write(self, offset, value):
        self.words[offset] = value

    def start(self, channel, data):
        here, self.left[channel.name] = self.left[channel.name][: len(data)], self.left[channel.name][len(data) :]
        if channel.name == "y":
            data[:] = np.frombuffer(here, np.uint8)
        else:
            assert bytes(data) == here, f"{channel.name}: other beats"
        self.moving.append(channel)

    def advance(self):
        for channel in self.moving:
            channel.busy = False
        self.moving.clear()


class Dma:
    def __init__(self, core, stream):
        channel = pynq.Channel(stream["name"], (1 << 26) - 1, 128, core)
        self.__dict__["sendchannel" if stream["dir"] == "in" else "recvchannel"] = channel


def design(bitfile):
    """The cells that design.tcl makes, with the names that the device tree overlay has."""
    cells, overlay = {}, bitfile.with_suffix(".dtso").read_text()
    load = lambda *names: (np.load(ARRAYS / f"{n}.npy") for n in names)  # noqa: E731
    x, w1, mult1, zp1, w2 = load("x", "w1", "mult1", "zp1", "w2")
    h = reference.layer1(x, w1, mult1, zp1)
    jobs = [({"x": x, "w": w1, "mult": mult1, "zp": np.repeat(zp1, len(w1))}, h), ({"x": h, "w": w2}, reference.layer2(h, w2))]
    for package, (inputs, output) in zip(LAYERS, jobs):
        core = Core(package, inputs, output)
        classes = vars(importlib.import_module(package.name)).values()
        driver = next(c for c in classes if isinstance(c, type) and "bindto" in vars(c))
        cells[f"{package.name}_0"] = driver({"device": core})
        cells |= {f"{package.name}_{s['name']}": Dma(core, s) for s in core.interface["streams"]}
    missing = [name for name in cells if f"\t{name}: " not in overlay]
    assert not missing, f"the overlay lacks {missing}"
    return cells


def main():
    subprocess.run([sys.executable, REPOSITORY / "examples/digits/prepare.py", ARRAYS], check=True)
    pynq.design = design
    import digits

    drivers = [argument for layer in LAYERS for argument in ("--driver", str(layer / "pynq"))]
    sys.argv = ["digits.py", str(ARRAYS), "--bitstream", str(DESIGN / "design.bit"), *drivers]
    assert digits.main() == 0
    assert pynq.Buffer.live == 0, "a buffer is not freed"
    sys.argv = ["digits.py", str(ARRAYS / "nothing"), *sys.argv[2:]]
    assert digits.main() == 2, "arrays that are not there"
    for script in ("reference.py", "classify.py"):
        subprocess.run([sys.executable, REPOSITORY / "examples/digits" / script, ARRAYS], check=True)


if __name__ == "__main__":
    main()
