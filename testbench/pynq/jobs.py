"""Runs the jobs of a core's testbench through its PYNQ driver on a stand-in for the hardware, which knows the beats.

Called by generator/flow/tests/packages.rs with the folder of a package, which holds besides the tensors of each job in
jobs/<job>/<tensor>.npy. The stand-in takes what the driver sends for the beats in tb/, answers with the expected ones, all
padding set to ones, and keeps every register write.
"""

import importlib
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import numpy as np  # noqa: E402
import pynq  # noqa: E402

FOLDER = Path(sys.argv[1])
CORE = json.loads(next(FOLDER.glob("*.json")).read_text())
REGISTERS = {r["name"]: r for r in CORE["registers"]}


def beats(file):
    """The beats of a vector file, all jobs one after the other."""
    lines = (FOLDER / "tb" / f"{file}.hex").read_text().splitlines()
    return [int(line, 16) for line in lines if not line.startswith("//")]


class Device:
    """The core of one job: what was written and sent to it, and what it sends back."""

    def __init__(self, index=0, polls=3):
        self.job, self.polls = CORE["jobs"][index], polls
        self.words = {r["offset"]: sum(f["reset"] << f["lsb"] for f in r["fields"]) for r in CORE["registers"]}
        self.writes, self.moving = [], {}
        self.sent = {s["stream"]: [] for s in CORE["axi_streams"] if s["dir"] == "in"}
        self.bytes = {s["stream"]: -(-s["beat_bits"] // 8) for s in CORE["axi_streams"]}
        self.index = index

    def vector(self, stream, file):
        """The bytes of a file's beats of this job."""
        begin = sum(j["beats"][stream] for j in CORE["jobs"][: self.index])
        return b"".join(b.to_bytes(self.bytes[stream], "little") for b in beats(file)[begin : begin + self.job["beats"][stream]])

    def read(self, offset):
        return self.words[offset]

    def write(self, offset, value):
        assert offset in self.words, hex(offset)
        self.writes.append((offset, value))

    def start(self, channel, data):
        if channel.name in self.sent:
            assert len(data) % self.bytes[channel.name] == 0, f"{channel.name}: a transfer ends within a beat"
            self.sent[channel.name].append(bytes(data))
        else:
            value, mask = (np.frombuffer(self.vector(channel.name, f"{channel.name}_{f}"), np.uint8) for f in ("expected", "mask"))
            data[:] = value | ~mask
        self.moving[channel] = self.polls

    def advance(self):
        """A little time passes."""
        for channel in list(self.moving):
            self.moving[channel] -= 1
            if not self.moving[channel]:
                channel.busy = False
                del self.moving[channel]


def driver():
    """The generated class on the present device, with channels that force the driver to cut its transfers."""
    module = importlib.import_module(CORE["top"])
    classes = [c for c in vars(module).values() if isinstance(c, type) and "bindto" in vars(c)]
    assert len(classes) == 1 and classes[0].bindto[0].split(":")[2] == CORE["top"]
    core = classes[0]({})
    last = {s["stream"] for s in CORE["axi_streams"] if s["dir"] == "out" or s["bus"]["stream"] == "core"}
    for s in CORE["axi_streams"]:
        smallest = math.lcm(-(-s["beat_bits"] // 8), 128) + 5
        core.connect(**{s["stream"]: pynq.Channel(s["stream"], 1 << 26 if s["stream"] in last else smallest, 128)})
    return core


def tensors(job, role):
    folder = FOLDER / "jobs" / job["name"]
    names = [t["name"] for t in CORE["tensors"] if t["role"] == role]
    return {name: np.load(folder / f"{name}.npy") for name in names if (folder / f"{name}.npy").exists()}


def run(index):
    """A whole job: what it writes, sends and gives back."""
    device = pynq.device = Device(index)
    outputs = driver().run(**tensors(device.job, "in"))
    clear = REGISTERS["wrapper_control"]["offset"]
    assert device.writes == [(clear, 1)] + [(w["offset"], w["value"]) for w in device.job["writes"]], device.writes
    for stream, transfers in device.sent.items():
        assert b"".join(transfers) == device.vector(stream, stream), f"{stream}: other beats"
        ends = next(s["bus"]["stream"] for s in CORE["axi_streams"] if s["stream"] == stream)
        assert len(transfers) == 1 or ends == "ignored", f"{stream}: tlast within a job"
    expected = tensors(device.job, "out")
    assert outputs.keys() == expected.keys()
    for name, tensor in expected.items():
        got = outputs[name]
        assert got.dtype == tensor.dtype and got.shape == tensor.shape, f"{name}: {got.dtype} {got.shape}"
        assert (got == tensor).all(), f"{name}: {(got != tensor).sum()} elements differ"
    return max(len(t) for t in device.sent.values())


def refuses(error, part, act):
    """The act must fail, and say why."""
    try:
        act()
    except error as e:
        assert part in str(e), f"`{part}` is not in: {e}"
    else:
        raise AssertionError(f"`{part}` is not refused")


def refusals():
    """What the driver must not do."""
    given = tensors(CORE["jobs"][0], "in")
    name = next(iter(given))
    pynq.device = Device()
    pynq.device.words[REGISTERS["config_hash"]["offset"]] ^= 1
    refuses(RuntimeError, "take both from one run", driver)
    pynq.device.words[REGISTERS["id"]["offset"]] = 0
    refuses(RuntimeError, "no Bitlathe core", driver)

    pynq.device = Device()
    core = driver()
    refuses(ValueError, f"tensor {name} is missing", lambda: core.run(**{n: t for n, t in given.items() if n != name}))
    refuses(ValueError, "there is no tensor nonsense", lambda: core.run(nonsense=0, **given))
    refuses(ValueError, "there is no stream nonsense", lambda: core.connect(nonsense=None))
    refuses(ValueError, "expected integers", lambda: core.run(**given | {name: given[name] * 0.5}))
    refuses(ValueError, "axes, expected", lambda: core.run(**given | {name: given[name].reshape(-1)}))
    refuses(ValueError, "leaves", lambda: core.run(**given | {name: given[name].astype(np.int64) + (1 << 40)}))
    size = next(s for s in CORE["sizes"] if s["name"] == next(t for t in CORE["tensors"] if t["name"] == name)["shape"][-1])
    wide = np.zeros((1,) * (given[name].ndim - 1) + (size["max"] + 1,), given[name].dtype)
    refuses(ValueError, f"{size['name']} = {size['max'] + 1} is outside", lambda: core.run(**given | {name: wide}))
    assert not pynq.device.writes, "a refused job reached the core"

    pynq.device = Device(polls=1 << 30)
    refuses(TimeoutError, "_stalls", lambda: core.run(timeout=0.01, **given))
    core = driver()
    pynq.device = Device()
    core._channels[name].error = True
    refuses(RuntimeError, "DMA Slave Error", lambda: core.run(**given))

    sticky = [(r, f) for r in CORE["registers"] for f in r["fields"] if f["access"] == "writeonetoclear"]
    if sticky:
        pynq.device, core = Device(), driver()
        register, field = sticky[0]
        pynq.device = Device()
        pynq.device.words[register["offset"]] = 1 << field["lsb"]
        refuses(RuntimeError, field["doc"], lambda: core.run(**given))
        assert pynq.device.writes[-1] == (register["offset"], 1 << field["lsb"]), "the error is not cleared"
    assert pynq.Buffer.live == 0, "a buffer is not freed"


def main():
    sys.path.insert(0, str(FOLDER / "pynq"))
    cuts = [run(index) for index in range(len(CORE["jobs"]))]
    refusals()
    print(f"{len(cuts)} jobs pass, at most {max(cuts)} transfers of one stream")


if __name__ == "__main__":
    main()
