"""Tensors to the bytes of a stream and back, in the order that the stream's layout says.

A layout is a nest of loops, one beat a step; a beat holds lanes, lane 0 in its lowest bits; a lane holds one element, or the
code of a group of elements. `interface.json` has one for each stream. Nothing here needs hardware.
"""

import numpy as np

# Elements that are placed at once: bounds the memory that the index arithmetic takes.
BLOCK = 1 << 18


def extent(spec, sizes):
    """How often a loop runs under the sizes of a job; where that depends on a loop further out, the most."""
    (kind, e), = spec.items()
    if kind == "const":
        return e
    if kind == "ceil_div":
        return -(-sizes[e["dim"]] // e["by"])
    if kind == "within":
        return min(sizes[e["dim"]], e["by"])
    if kind == "share":
        return -(-int(np.prod([sizes[n] for n in e["of"]])) // max(sizes[e["among"]] * e["by"], 1))
    return -(-sizes[e["keys"]] // e["by"])


def extent_at(spec, sizes, block):
    """How often a loop runs at the steps `block` of the loop that it depends on."""
    (kind, e), = spec.items()
    if kind == "within":
        return np.clip(sizes[e["dim"]] - e["by"] * block, 0, e["by"])
    queries, keys = max(sizes[e["queries"]], 1), sizes[e["keys"]]
    below = block * e["rows"] % queries + e["rows"]
    # A block that reaches a head's last query sees every key, and so does each without the mask.
    seen = np.where((sizes[e["when"]] == 0) | (below >= queries), keys, np.maximum(below + keys - queries, 0))
    return -(-seen // e["by"])


def depends_on(spec):
    """The loop further out that decides how often a loop runs, if one does."""
    (kind, e), = spec.items()
    return e["block"] if kind in ("within", "causal") else None


class Walk:
    """The elements of each beat of a job."""

    def __init__(self, layout, sizes, shape):
        self.layout = layout
        # A layout may walk the tensor in another shape than its own.
        self.shape = [extent(spec, sizes) for spec in layout.get("shape", [])] or shape
        # An axis with a single step keeps a nest without loops legal.
        self.loops = {"": 1, **{loop["name"]: extent(loop["extent"], sizes) for loop in layout["loops"]}}
        self.order = self._order(sizes)
        self.lanes = int(np.prod([lane["extent"] for lane in layout["lanes"]], dtype=np.int64))
        self.bytes = -(-self.lanes * layout["lane_bits"] // 8)
        counters = {lane["name"]: lane["extent"] for lane in layout["lanes"]} | {"i": layout["group"]}
        slots = np.unravel_index(np.arange(self.lanes * layout["group"]), list(counters.values()))
        self.inner = self._offsets(dict(zip(counters, slots)), self.lanes * layout["group"])
        # A code may overhang its tile.
        self.inside = np.all([o < a["tile"] for o, a in zip(self.inner, layout["axes"])], axis=0)

    def beats(self):
        """Beats of a job."""
        return self._steps() if self.order is None else len(self.order)

    def _steps(self):
        return int(np.prod(list(self.loops.values()), dtype=np.int64))

    def _order(self, sizes):
        """The steps of the full nest that a job takes, where some loop runs less often at times."""
        dependent = [(loop["name"], loop["extent"]) for loop in self.layout["loops"] if depends_on(loop["extent"])]
        if not dependent:
            return None
        steps = dict(zip(self.loops, np.unravel_index(np.arange(self._steps()), list(self.loops.values()))))
        taken = [steps[name] < extent_at(spec, sizes, steps[depends_on(spec)]) for name, spec in dependent]
        return np.flatnonzero(np.all(taken, axis=0))

    def repeats(self):
        """How often the whole pass is sent: the outermost loops that no axis names."""
        moving = {name for axis in self.layout["axes"] for name, _ in axis["terms"]}
        moving |= {depends_on(loop["extent"]) for loop in self.layout["loops"]}
        times = 1
        for name, count in self.loops.items():
            if name in moving:
                break
            times *= count
        return times

    def blocks(self, beats):
        """The first beats in blocks: (first, one after the last, flat index of each element, whether it is one)."""
        step = max(1, BLOCK // self.inside.size)
        for first in range(0, beats, step):
            last = min(first + step, beats)
            yield (first, last, *self._elements(first, last))

    def _elements(self, first, last):
        taken = np.arange(first, last) if self.order is None else self.order[first:last]
        steps = np.unravel_index(taken, list(self.loops.values()))
        outer = self._offsets(dict(zip(self.loops, steps)), last - first)
        flat = np.zeros((last - first, self.inside.size), np.int64)
        real = np.broadcast_to(self.inside, flat.shape).copy()
        for base, offset, size in zip(outer, self.inner, self.shape):
            index = base[:, None] + offset
            real &= index < size
            flat = flat * size + index
        return np.where(real, flat, 0), real

    def _offsets(self, counters, count):
        """Along each axis, the sum of stride and counter over the counters that are given."""
        zero = np.zeros(count, np.int64)
        terms = [[stride * counters[name] for name, stride in axis["terms"] if name in counters] for axis in self.layout["axes"]]
        return [sum(terms, zero) for terms in terms]


def pack(stream, sizes, tensor, codes):
    """The bytes of one pass over a tensor, beats padded to whole bytes, and how often the stream sends it."""
    layout = stream["layout"]
    walk = Walk(layout, sizes, tensor.shape)
    beats, values = walk.beats() // walk.repeats(), np.ascontiguousarray(tensor, np.int64).reshape(-1)
    out = np.zeros((beats, walk.bytes), np.uint8)
    for first, last, index, real in walk.blocks(beats):
        groups = np.where(real, values[index], 0).reshape(-1, layout["group"])
        lanes = groups[:, 0] if layout["code"] == "plain" else encode(groups, real.reshape(groups.shape), codes[layout["code"]])
        bits = lanes.reshape(last - first, walk.lanes, 1) >> np.arange(layout["lane_bits"]) & 1
        out[first:last] = np.packbits(bits.astype(np.uint8).reshape(last - first, -1), axis=1, bitorder="little")
    return out.reshape(-1), walk.repeats()


def encode(groups, real, code):
    """The code of each group; padding counts as zero, and its place may decode to anything."""
    low, high = code["range"]
    number = (groups - low) @ (high - low + 1) ** np.arange(groups.shape[1])
    lanes = np.array(code["encode"])[number]
    wrong = ((np.array(code["decode"])[lanes] != groups) & real).any(axis=1)
    if wrong.any():
        raise ValueError(f"no code stands for the group {groups[wrong.argmax()].tolist()}")
    return lanes


def received_bytes(stream, sizes, shape):
    """The bytes that a job brings."""
    walk = Walk(stream["layout"], sizes, shape)
    return walk.beats() * walk.bytes


def unpack(stream, sizes, shape, dtype, data):
    """The tensor that received bytes make; where a layout writes an element twice, the later beat counts."""
    layout = stream["layout"]
    if layout["code"] != "plain":
        raise ValueError(f"stream {stream['name']}: only plain lanes can be received")
    walk = Walk(layout, sizes, shape)
    out, width = np.zeros(int(np.prod(shape)), dtype), layout["lane_bits"]
    weights = np.uint64(1) << np.arange(width, dtype=np.uint64)
    beats = walk.beats()
    for first, last, index, real in walk.blocks(beats):
        bits = np.unpackbits(data.reshape(beats, walk.bytes)[first:last], axis=1, bitorder="little")
        bits = bits[:, : walk.lanes * width].reshape(last - first, walk.lanes, width)
        lanes = (bits * weights).sum(axis=2, dtype=np.uint64).view(np.int64)
        if stream["signed"]:
            lanes = lanes << (64 - width) >> (64 - width)
        out[index[real]] = lanes[real]
    return out.reshape(shape)
