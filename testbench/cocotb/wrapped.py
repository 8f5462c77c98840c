"""Drives a core with `wrap = "axi"` by the bus models of cocotbext-axi; `run.py` starts it.

It knows of the core what its generated folder says: `<name>.json` and the vector files below `tb/`.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi.axil_channels import (
    AxiLiteARSource,
    AxiLiteARTransaction,
    AxiLiteAWSource,
    AxiLiteAWTransaction,
    AxiLiteBSink,
    AxiLiteRSink,
    AxiLiteWSource,
    AxiLiteWTransaction,
)
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

FOLDER = Path(os.environ["BITLATHE_FOLDER"])
CORE = json.loads(next(FOLDER.glob("*.json")).read_text())
SEED = 90125
# What takes longer hangs: thousands of cycles, where a job takes hundreds.
PATIENCE = (50, "us")
# The numbers that software writes, each with its register.
NUMBERS = [(r["name"], f) for r in CORE["registers"] for f in r["fields"] if f["access"] == "readwrite" and not f["lsb"]]
# Whether sources pause, whether sinks do.
STALLS = [(False, False), (True, False), (False, True), (True, True)]


def beats(name):
    """The beats of a vector file, all jobs one after the other."""
    lines = (FOLDER / "tb" / f"{name}.hex").read_text().splitlines()
    return [int(line, 16) for line in lines if not line.startswith("//")]


def pauses(seed):
    """Pauses half of all cycles, in runs."""
    draw = random.Random(seed)
    while True:
        pause, length = draw.random() < 0.5, draw.randint(1, 6)
        yield from [pause] * length


class AxiLiteChannels:
    """The channels of AXI4-Lite without a master that would choose strobes."""

    def __init__(self, bus, *ends):
        self.aw, self.w = AxiLiteAWSource(bus.write.aw, *ends), AxiLiteWSource(bus.write.w, *ends)
        self.b = AxiLiteBSink(bus.write.b, *ends)
        self.ar, self.r = AxiLiteARSource(bus.read.ar, *ends), AxiLiteRSink(bus.read.r, *ends)

    async def access(self, address, data=None, strobes=0):
        """Writes data and gives the response, or reads and gives the word."""
        if data is None:
            await self.ar.send(AxiLiteARTransaction(araddr=address))
            return int((await self.r.recv()).rdata)
        await self.w.send(AxiLiteWTransaction(wdata=data, wstrb=strobes))
        await self.aw.send(AxiLiteAWTransaction(awaddr=address))
        return AxiResp(int((await self.b.recv()).bresp))


class Bench:
    """The wrapped core with a bus model at each of its interfaces."""

    def __init__(self, dut, registers):
        self.dut = dut
        cocotb.start_soon(Clock(dut.aclk, 10, unit="ns").start())
        ends = (dut.aclk, dut.aresetn, False)
        self.registers = registers(AxiLiteBus.from_prefix(dut, "s_axi_control"), *ends)
        self.sources, self.sinks = {}, {}
        for s in CORE["axi_streams"]:
            bus = AxiStreamBus.from_prefix(dut, s["name"])
            if s["dir"] == "in":
                self.sources[s["stream"]] = AxiStreamSource(bus, *ends)
            else:
                self.sinks[s["stream"]] = AxiStreamSink(bus, *ends)
        for model in [*self.sources.values(), *self.sinks.values()]:
            model.log.setLevel("ERROR")
        self.bytes = {s["stream"]: -(-s["beat_bits"] // 8) for s in CORE["axi_streams"]}
        self.vectors = {name: beats(name) for name in self.sources}
        self.stalled = dict.fromkeys(self.bytes, 0)
        self.expected = {name: (beats(f"{name}_expected"), beats(f"{name}_mask")) for name in self.sinks}

    async def reset(self):
        """Holds `aresetn` low for a few cycles; what the models had queued is gone."""
        self.dut.aresetn.value = 0
        for model in [*self.sources.values(), *self.sinks.values()]:
            model.clear()
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def watch(self):
        """Counts cycles in which a beat was offered at the core and not taken."""
        ends = {name: (getattr(self.dut, f"{name}_valid"), getattr(self.dut, f"{name}_ready")) for name in self.stalled}
        while True:
            await ReadOnly()
            for name, (valid, ready) in ends.items():
                self.stalled[name] += int(valid.value) and not int(ready.value)
            await RisingEdge(self.dut.aclk)

    async def read(self, name):
        data = await self.registers.read(offset(name), 4)
        assert data.resp == AxiResp.OKAY, name
        return int.from_bytes(data.data, "little")

    async def write(self, address, value, length=4):
        return (await self.registers.write(address, value.to_bytes(length, "little"))).resp

    def stall(self, idle, backpressure):
        """Whether sources pause, and sinks."""
        for models, on in [(self.sources, idle), (self.sinks, backpressure)]:
            for n, model in enumerate(models.values()):
                model.clear_pause_generator()
                model.pause = False
                if on:
                    model.set_pause_generator(pauses(SEED + n + 100 * idle))

    async def set_up(self, job):
        for write in job["writes"]:
            assert await self.write(write["offset"], write["value"]) == AxiResp.OKAY

    def span(self, index, stream):
        """Where in the vector file the beats of a job are."""
        begin = sum(j["beats"][stream] for j in CORE["jobs"][:index])
        return begin, begin + CORE["jobs"][index]["beats"][stream]

    def send(self, index):
        """Hands the sources the inputs of a job."""
        for name, source in self.sources.items():
            begin, end = self.span(index, name)
            data = b"".join(b.to_bytes(self.bytes[name], "little") for b in self.vectors[name][begin:end])
            source.send_nowait(AxiStreamFrame(data))

    async def run(self, index, stale=0):
        """A whole job: every output is one packet and equals the model; so many beats of before may precede it."""
        await self.set_up(CORE["jobs"][index])
        assert await self.write(offset("wrapper_control"), mask("clear_counters")) == AxiResp.OKAY
        self.stalled.update(dict.fromkeys(self.stalled, 0))
        self.send(index)
        for name, sink in self.sinks.items():
            frame = await with_timeout(sink.recv(), *PATIENCE)
            size, (begin, end) = self.bytes[name], self.span(index, name)
            data = bytes(frame.tdata)
            extra = len(data) - size * (end - begin)
            assert 0 <= extra <= size * stale, f"{name}: a packet of {len(data)} bytes"
            data = data[extra:]
            values, masks = self.expected[name]
            for beat in range(end - begin):
                got = int.from_bytes(data[size * beat : size * (beat + 1)], "little")
                want, care = values[begin + beat], masks[begin + beat]
                assert got & care == want & care, f"{name}[{beat}]: {got:x}, expected {want:x} under {care:x}"
        for register in CORE["registers"]:
            sticky = sum(1 << f["lsb"] for f in register["fields"] if f["access"] == "writeonetoclear")
            assert await self.read(register["name"]) & sticky == 0, register["name"]


def offset(name):
    return next(r["offset"] for r in CORE["registers"] if r["name"] == name)


def field(name):
    return next(f for r in CORE["registers"] for f in r["fields"] if f["name"] == name)


def mask(name):
    f = field(name)
    return (1 << f["width"]) - 1 << f["lsb"]


async def bench(dut, registers=AxiLiteMaster):
    b = Bench(dut, registers)
    await b.reset()
    return b


@cocotb.test()
async def jobs_equal_the_model_under_every_stall(dut):
    b, seen = await bench(dut), {}
    cocotb.start_soon(b.watch())
    for idle, backpressure in STALLS:
        b.stall(idle, backpressure)
        for index, job in enumerate(CORE["jobs"]):
            await b.run(index)
            cycles = await b.read("cycles")
            stalls = {name: await b.read(f"{name}_stalls") for name in b.stalled}
            assert stalls == b.stalled
            if (idle, backpressure) == (False, False):
                assert cycles == job["cycles"], f"{cycles} cycles, the schedule says {job['cycles']}"
                assert not any(stalls[name] for name in b.sinks)
            assert cycles >= job["cycles"]
            seen = {name: max(seen.get(name, 0), n) for name, n in stalls.items()}
            dut._log.info(f"{job['name']}: {cycles} cycles, stalls {stalls}")
    assert any(seen.values()), "no counter moved"


@cocotb.test()
async def registers_identify_the_core_and_holes_are_refused(dut):
    b = await bench(dut)
    assert await b.read("id") == 0x424C5447
    assert f"{await b.read('config_hash'):08x}" == CORE["config_hash"][:8]
    version = await b.read("version")
    assert CORE["generator"] == f"bitlathe {version >> 24}.{version >> 16 & 0xFF}.{version & 0xFFFF}"
    assert await b.read("capabilities") == len(b.sources) | len(b.sinks) << 8

    # A write to a constant is no error, and no write.
    assert await b.write(offset("id"), 0) == AxiResp.OKAY
    assert await b.read("id") == 0x424C5447

    words = {r["offset"]: await b.read(r["name"]) for r in CORE["registers"]}
    holes = [w for w in range(0, 4096, 4) if w not in words]
    for hole in [holes[0], holes[-1], *random.Random(SEED).sample(holes, 40)]:
        assert await b.write(hole, 0xFFFFFFFF) == AxiResp.SLVERR, hex(hole)
        data = await b.registers.read(hole, 4)
        assert data.resp == AxiResp.SLVERR and not any(data.data), hex(hole)
    assert words == {r["offset"]: await b.read(r["name"]) for r in CORE["registers"]}


@cocotb.test(skip=not NUMBERS)
async def registers_keep_to_bytes_and_bounds(dut):
    b = await bench(dut)
    name, f = NUMBERS[0]
    at, smallest, largest = offset(name), f["min"], f["max"]

    # An unaligned access is one of bytes of the word.
    await b.write(at, smallest)
    for byte in range(4):
        old, new = await b.read(name), largest >> 8 * byte & 0xFF
        value = old & ~(0xFF << 8 * byte) | new << 8 * byte
        assert await b.write(at + byte, new, 1) == AxiResp.OKAY
        assert await b.read(name) == (value if smallest <= value <= largest else old), f"byte {byte} of {name}"
        data = await b.registers.read(at + byte, 1)
        assert int.from_bytes(data.data, "little") == (await b.read(name)) >> 8 * byte & 0xFF

    # A refused write changes nothing and sets a sticky error, which a write to its register's other bytes leaves set.
    status, error = next((r["name"], f["lsb"]) for r in CORE["registers"] for f in r["fields"] if f["name"] == "config_error")
    assert error < 8
    await b.write(at, largest)
    await b.write(offset(status), 1 << error)
    assert await b.read(status) == 0
    assert await b.write(at, largest + 1) == AxiResp.OKAY
    assert await b.read(name) == largest and await b.read(status) == 1 << error
    assert await b.write(offset(status) + 1, 0xFFFFFF, 3) == AxiResp.OKAY
    assert await b.read(status) == 1 << error
    assert await b.write(offset(status), 1 << error) == AxiResp.OKAY
    assert await b.read(status) == 0


@cocotb.test(skip=not NUMBERS)
async def odd_strobes_write_their_bytes_alone(dut):
    # Channels one by one: the whole master never has anything but zeros in bytes without a strobe.
    b = await bench(dut, AxiLiteChannels)
    name, f = NUMBERS[0]
    draw = random.Random(SEED)
    seen = f["min"]
    await b.registers.access(offset(name), seen, 0xF)
    for strobes in [0x0, 0x5, 0xA, 0x9, 0x6, *(draw.randrange(16) for _ in range(60))]:
        keep = sum(0xFF << 8 * n for n in range(4) if not strobes >> n & 1)
        data = draw.randint(f["min"], f["max"]) & ~keep | draw.getrandbits(32) & keep
        value = seen & keep | data & ~keep
        assert await b.registers.access(offset(name), data, strobes) == AxiResp.OKAY
        seen = value if f["min"] <= value <= f["max"] else seen
        assert await b.registers.access(offset(name)) == seen, f"strobes {strobes:04b}"


@cocotb.test(skip=not NUMBERS)
async def reads_and_writes_at_once_with_pauses_on_every_channel(dut):
    b = await bench(dut)
    name, f = NUMBERS[0]
    channels = [b.registers.write_if.aw_channel, b.registers.write_if.w_channel, b.registers.write_if.b_channel]
    channels += [b.registers.read_if.ar_channel, b.registers.read_if.r_channel]
    draw = random.Random(SEED)
    for paused in [False, True]:
        if paused:
            for n, channel in enumerate(channels):
                channel.set_pause_generator(pauses(SEED + n))
        values = [f["min"]]
        await b.write(offset(name), values[0])
        for _ in range(60):
            values.append(draw.randint(f["min"], f["max"]))
            # The read may see the value of before or of after, and nothing else.
            accesses = [b.write(offset(name), values[-1]), b.read(name), b.registers.read(0xFFC, 4)]
            tasks = [cocotb.start_soon(access) for access in accesses]
            written, seen, hole = [await with_timeout(task, *PATIENCE) for task in tasks]
            assert written == AxiResp.OKAY and seen in values[-2:] and hole.resp == AxiResp.SLVERR


@cocotb.test()
async def a_reset_in_the_middle_of_a_job_leaves_a_sound_core(dut):
    b = await bench(dut)
    index = max(range(len(CORE["jobs"])), key=lambda n: CORE["jobs"][n]["cycles"])
    draw = random.Random(SEED)
    for _ in range(4):
        b.stall(True, False)
        await b.set_up(CORE["jobs"][index])
        b.send(index)
        await ClockCycles(dut.aclk, draw.randint(1, CORE["jobs"][index]["cycles"]))
        b.stall(False, False)
        await b.reset()
        await b.run(index)


@cocotb.test()
async def a_reset_by_software_withdraws_no_beat_and_leaves_a_sound_core(dut):
    b = await bench(dut)
    index = max(range(len(CORE["jobs"])), key=lambda n: CORE["jobs"][n]["cycles"])
    await b.set_up(CORE["jobs"][index])
    for sink in b.sinks.values():
        sink.pause = True
    b.send(index)
    valids = [getattr(dut, f"{s['name']}_tvalid") for s in CORE["axi_streams"] if s["dir"] == "out"]
    while not any(int(v.value) for v in valids):
        await RisingEdge(dut.aclk)
        await ReadOnly()
    offered = [v for v in valids if int(v.value)]
    await RisingEdge(dut.aclk)
    assert await b.write(offset("wrapper_control"), mask("reset")) == AxiResp.OKAY
    for _ in range(20):
        assert await b.read("wrapper_control") == mask("reset") | mask("output_offered")
        assert all(int(v.value) for v in offered)
    assert await b.read("cycles") == 0

    # Sources get rid of what they still have, sinks take what is offered.
    for source in b.sources.values():
        await with_timeout(source.wait(), *PATIENCE)
    for sink in b.sinks.values():
        sink.pause = False
    await ClockCycles(dut.aclk, 8)
    assert await b.read("wrapper_control") == mask("reset")
    assert await b.write(offset("wrapper_control"), 0) == AxiResp.OKAY
    await b.run(index, stale=3)
