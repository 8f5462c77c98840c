"""Runs jobs on a wrapped core from PYNQ: sizes and registers from numpy arrays, one DMA channel a stream.

`interface.json` beside this file says what the core is; `layout.py` in which order its streams carry tensors.
"""

import json
import time
from pathlib import Path

import numpy as np
from pynq import DefaultIP, allocate

from .layout import extent, pack, received_bytes, unpack

INTERFACE = json.loads((Path(__file__).parent / "interface.json").read_text())
MAGIC = 0x424C5447
# The bytes that one transfer of an AXI DMA with its default length register can have, where PYNQ does not tell.
SMALLEST_DMA = (1 << 14) - 1
# Transfers begin at multiples of this: no data bus of a DMA is wider.
ALIGNMENT = 128


class Core(DefaultIP):
    """A wrapped core. `connect` its streams to DMA channels, then `run` jobs."""

    def __init__(self, description):
        super().__init__(description=description)
        self._channels = {}
        self._registers = {r["name"]: r for r in INTERFACE["registers"]}
        self._streams = {s["name"]: s for s in INTERFACE["streams"]}
        self._refuse_another_bitstream()

    def _refuse_another_bitstream(self):
        magic, found = self._read("id"), f"{self._read('config_hash'):08x}"
        if magic != MAGIC:
            raise RuntimeError(f"no Bitlathe core is at this address: its first word is {magic:#010x}")
        if found != INTERFACE["config_hash"][:8]:
            raise RuntimeError(
                f"this driver belongs to config {INTERFACE['config_hash'][:8]}, the bitstream to {found}: take both from one run"
            )

    @classmethod
    def of(cls, overlay):
        """The core in a design that design.tcl made, connected to its DMA engines."""
        core = getattr(overlay, f"{INTERFACE['top']}_0")
        dmas = {name: getattr(overlay, f"{INTERFACE['top']}_{name}") for name in core._streams}
        core.connect(**{n: d.sendchannel if core._streams[n]["dir"] == "in" else d.recvchannel for n, d in dmas.items()})
        return core

    def connect(self, **channels):
        """Names the DMA channel of each stream: a `sendchannel` for an input, a `recvchannel` for an output."""
        _check_names("stream", channels, self._streams)
        self._channels.update(channels)

    def run(self, timeout=10.0, **tensors):
        """Runs one job and returns its outputs by name; `timeout` in seconds."""
        if missing := self._streams.keys() - self._channels.keys():
            raise RuntimeError(f"connect first: {', '.join(sorted(missing))}")
        tensors, sizes = _bind(tensors)
        self._write("wrapper_control", 1 << self._field("wrapper_control", "clear_counters")["lsb"])
        for register in INTERFACE["registers"]:
            self._set_up(register, tensors, sizes)
        transfers = {}
        try:
            # Receivers first: none may miss the first beat.
            for name, stream in sorted(self._streams.items(), key=lambda s: s[1]["dir"] == "in"):
                transfers[name] = self._transfer(stream, tensors, sizes)
            self._finish(transfers, timeout)
            self._raise_sticky()
            outputs = [t for t in INTERFACE["tensors"] if t["role"] == "out" and t["name"] in transfers]
            return {t["name"]: _received(self._streams[t["name"]], t, sizes, transfers[t["name"]].buffer) for t in outputs}
        finally:
            for transfer in transfers.values():
                transfer.buffer.freebuffer()

    def counters(self):
        """Cycles and stalls of each stream in the last job."""
        return {name: self._read(name) for name in ["cycles", *(f"{s}_stalls" for s in self._streams)]}

    def reset(self, settle=0.001):
        """Ends what is running: resets the core, drops what DMA engines still send. Stop and start DMA channels yourself."""
        held, offered = (1 << self._field("wrapper_control", n)["lsb"] for n in ("reset", "output_offered"))
        self._write("wrapper_control", held)
        time.sleep(settle)
        if self._read("wrapper_control") & offered:
            raise RuntimeError("an output still offers a beat that nobody takes: start its DMA channel, then reset again")
        self._write("wrapper_control", 0)

    def _read(self, name):
        return self.read(self._registers[name]["offset"])

    def _write(self, name, value):
        self.write(self._registers[name]["offset"], value)

    def _field(self, register, name):
        return next(f for f in self._registers[register]["fields"] if f["name"] == name)

    def _set_up(self, register, tensors, sizes):
        """Writes a register where a job sets one of its fields."""
        fields = [f for f in register["fields"] if f["access"] in ("readwrite", "trigger")]
        if all(f["value"] == "none" for f in fields):
            return
        word = 0
        for f in fields:
            value = _field_value(f, tensors, sizes)
            # Elements have the range of their tensor, and may be negative.
            if ("extent" in f["value"] or "product" in f["value"]) and not _fits(f, value):
                raise ValueError(f"{f['name']} = {value} is outside {f['min']}..{f['max']}")
            word |= (value & (1 << f["width"]) - 1) << f["lsb"]
        self._write(register["name"], word)

    def _transfer(self, stream, tensors, sizes):
        """Starts the transfer of a stream."""
        channel, name = self._channels[stream["name"]], stream["name"]
        if stream["dir"] == "out":
            shape = _shape(next(t for t in INTERFACE["tensors"] if t["name"] == name), sizes)
            return _Transfer(channel, allocate((received_bytes(stream, sizes, shape),), np.uint8), 1, None)
        data, repeats = pack(stream, sizes, tensors[name], INTERFACE["codes"])
        if stream["last"]:
            # `tlast` ends the job, and every transfer sets it.
            data, repeats = np.tile(data, repeats), 1
        buffer = allocate(data.shape, np.uint8)
        buffer[:] = data
        return _Transfer(channel, buffer, repeats, None if stream["last"] else _largest_piece(stream, channel))

    def _finish(self, transfers, timeout):
        """Starts what is left of each transfer as its channel gets free."""
        end = time.monotonic() + timeout
        while not all([t.step() for t in transfers.values()]):
            if time.monotonic() > end:
                raise TimeoutError(f"the job hangs after {timeout} s; counters: {self.counters()}; reset() ends it")

    def _raise_sticky(self):
        """Clears sticky errors, and says them."""
        errors = []
        for register in INTERFACE["registers"]:
            sticky = [f for f in register["fields"] if f["access"] == "writeonetoclear"]
            word = self._read(register["name"]) if sticky else 0
            found = [f for f in sticky if word >> f["lsb"] & 1]
            if found:
                self._write(register["name"], sum(1 << f["lsb"] for f in found))
                errors += [f"{f['name']}: {f['doc']}" for f in found]
        if errors:
            raise RuntimeError("the core reports " + "; ".join(errors))


class _Transfer:
    """The beats of one stream of one job on their way, in pieces that a DMA can take."""

    def __init__(self, channel, buffer, repeats, largest):
        self.channel, self.buffer = channel, buffer
        step = min(largest or buffer.nbytes, buffer.nbytes)
        starts = range(0, buffer.nbytes, step)
        self.left = ((start, min(step, buffer.nbytes - start)) for _ in range(repeats) for start in starts)
        self.done = self._next()

    def _next(self):
        """Starts the next piece; true where there is none."""
        piece = next(self.left, None)
        if piece:
            self.channel.transfer(self.buffer, *piece)
        return piece is None

    def step(self):
        """Looks after the channel; true when all is transferred."""
        if not self.done and (self.channel.idle or self.channel.error):
            # Returns at once; raises what went wrong.
            self.channel.wait()
            self.done = self._next()
        return self.done


def _bind(given):
    """The tensors of a job, checked, with defaults; and its sizes."""
    specs = {t["name"]: t for t in INTERFACE["tensors"] if t["role"] == "in"}
    _check_names("tensor", given, specs)
    sizes, tensors = {}, {name: np.asarray(value) for name, value in given.items()}
    # A size is known from tensors that have it in full before a single value is spread over it.
    for name, spec in sorted(specs.items(), key=lambda s: s[0] in tensors and _is_single(s[1], tensors[s[0]])):
        if name in tensors:
            if _is_single(spec, tensors[name]):
                tensors[name] = np.full(sizes.get(spec["shape"][0], 1), tensors[name][0])
            _check_tensor(spec, tensors[name], sizes)
        elif spec["default"] is None:
            raise ValueError(f"tensor {name} is missing: {spec['doc']}")
        elif "size" in spec["carrier"]:
            sizes[spec["carrier"]["size"]] = spec["default"]
    for size in INTERFACE["sizes"]:
        name, value = size["name"], sizes.get(size["name"])
        if value is None or not _fits(size, value):
            raise ValueError(f"{name} = {value} is outside {size['min']}..{size['max']}: {size['doc']}")
    for name, spec in specs.items():
        if name in tensors and tensors[name].shape != _shape(spec, sizes):
            raise ValueError(f"tensor {name} has shape {tensors[name].shape}, expected {_shape(spec, sizes)}")
        tensors.setdefault(name, np.full(_shape(spec, sizes), spec["default"] or 0))
    return tensors, sizes


def _check_names(what, given, known):
    if unknown := given.keys() - known.keys():
        raise ValueError(f"there is no {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}")


def _is_single(spec, tensor):
    """Whether it may be one value for all: shape (1,) where the core has one for each of something."""
    return tensor.shape == (1,) and len(spec["shape"]) == 1 and isinstance(spec["shape"][0], str)


def _check_tensor(spec, tensor, sizes):
    """Adds the sizes that a tensor fixes."""
    name, (low, high) = spec["name"], spec["range"]
    if tensor.dtype.kind not in "iu":
        raise ValueError(f"tensor {name} holds {tensor.dtype}, expected integers: {spec['doc']}")
    if tensor.ndim != len(spec["shape"]):
        raise ValueError(f"tensor {name} has {tensor.ndim} axes, expected {len(spec['shape'])}")
    if tensor.size and not (low <= int(tensor.min()) and int(tensor.max()) <= high):
        raise ValueError(f"tensor {name} leaves {low}..{high}")
    for axis, got in zip(spec["shape"], tensor.shape):
        if isinstance(axis, str):
            sizes.setdefault(axis, got)
    if "size" in spec["carrier"] and tensor.size == 1:
        sizes[spec["carrier"]["size"]] = int(tensor.flat[0])


def _shape(spec, sizes):
    def length(axis):
        if isinstance(axis, dict):
            return -(-sizes[axis["dim"]] // axis["by"])
        return sizes[axis] if isinstance(axis, str) else axis

    return tuple(length(axis) for axis in spec["shape"])


def _fits(bounds, value):
    return bounds["min"] <= value <= bounds["max"]


def _field_value(field, tensors, sizes):
    """What a job writes into a field."""
    if field["value"] == "none":
        return field["reset"]
    (what, spec), = field["value"].items()
    if what == "extent":
        return extent(spec, sizes)
    if what == "product":
        value = 1
        for factor in spec:
            value *= extent(factor, sizes)
        return value
    return int(tensors[spec["tensor"]].flat[spec["index"]])


def _largest_piece(stream, channel):
    """Bytes of the largest transfer of whole beats after which the next one is aligned."""
    beat = next(-(-s["beat_bits"] // 8) for s in INTERFACE["axi_streams"] if s["stream"] == stream["name"])
    # PYNQ's channel knows its length register, and has no public name for it.
    largest, unit = getattr(channel, "_max_size", SMALLEST_DMA), int(np.lcm(beat, ALIGNMENT))
    if unit > largest:
        raise RuntimeError(f"the DMA of {stream['name']} takes {largest} bytes at once, it needs {unit}: widen its length register")
    return largest // unit * unit


def _received(stream, tensor, sizes, buffer):
    return unpack(stream, sizes, _shape(tensor, sizes), np.dtype(tensor["dtype"]), np.asarray(buffer))
