"""Drives a core with `wrap = "kernel"` by the memories of cocotbext-axi; `run.py` starts it.

It knows of the core what its generated folder says: `<name>.json` and the vector files below `tb/`.
"""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiRamRead, AxiRamWrite, AxiReadBus, AxiResp, AxiWriteBus
from cocotbext.axi.sparse_memory import SparseMemory

from wrapped import CORE, SEED, STALLS, beats, field, offset, pauses

PATIENCE = (200, "us")
START, DONE, IDLE, READY, AUTO_RESTART = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 7
LONGEST, OUTSTANDING = 64, 16
# What Python can count of 64 bits of address.
SPACE = 1 << 62
# What lies in memory where nothing was written.
UNTOUCHED = 0xA5


class Rules:
    """What AXI asks of a master at one address channel and its data."""

    def __init__(self, dut, stream):
        self.dut, self.stream, self.bursts, self.open, self.most = dut, stream, [], 0, 0
        self.writes = stream["dir"] == "out"
        # Lengths of bursts whose words are still to come.
        self.lengths = []
        cocotb.start_soon(self.watch())

    def signal(self, name):
        return getattr(self.dut, f"{self.stream['name']}_{name}")

    def value(self, name):
        value = self.signal(name).value
        # Before the first reset nothing is driven.
        return int(value) if value.is_resolvable else 0

    async def watch(self):
        way, data = ("aw", "w") if self.writes else ("ar", "r")
        held, words = None, 0
        while True:
            await ReadOnly()
            if self.dut.ap_rst_n.value != 1:
                held, words, self.open, self.lengths = None, 0, 0, []
            else:
                offer = tuple(self.value(way + s) for s in ("addr", "len", "size", "burst")) if self.value(way + "valid") else None
                assert held is None or held == offer, f"{self.stream['name']} withdraws {held}"
                if offer is not None and held is None:
                    self.lengths.append(offer[1] + 1)
                taken = offer is not None and self.value(way + "ready")
                held = None if taken else offer
                if taken:
                    self.burst(*offer)
                if self.value(data + "valid") and self.value(data + "ready"):
                    words += 1
                    last = bool(self.value(data + "last"))
                    # Words may come before the address of their burst is taken, and not before it is offered.
                    assert last == (words == self.lengths[0])
                    if last:
                        words = 0
                        self.lengths.pop(0)
                ends = "b" if self.writes else "r"
                if self.value(ends + "valid") and self.value(ends + "ready") and (self.writes or self.value("rlast")):
                    self.open -= 1
                if not self.writes:
                    assert not self.value("rvalid") or self.value("rready"), "a word waits"
            await RisingEdge(self.dut.ap_clk)

    def burst(self, address, length, size, burst):
        port = self.stream["bus"]["memory"]["word_bytes"]
        assert burst == 1 and 1 << size == port and address % port == 0
        assert length < LONGEST and address // 4096 == (address + (length + 1) * port - 1) // 4096, hex(address)
        self.bursts.append((address, length + 1))
        self.open += 1
        self.most = max(self.most, self.open)
        assert self.open <= OUTSTANDING


class Bench:
    """The kernel with a memory at each of its masters."""

    def __init__(self, dut, memories=True):
        self.dut = dut
        cocotb.start_soon(Clock(dut.ap_clk, 4, unit="ns").start())
        ends = (dut.ap_clk, dut.ap_rst_n, False)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi_control"), *ends)
        self.memory = SparseMemory(SPACE)
        self.streams = {s["stream"]: s for s in CORE["axi_streams"]}
        self.rules = {name: Rules(dut, s) for name, s in self.streams.items()}
        self.slaves = {}
        for name, s in self.streams.items() if memories else ():
            bus, slave = (AxiReadBus, AxiRamRead) if s["dir"] == "in" else (AxiWriteBus, AxiRamWrite)
            self.slaves[name] = slave(bus.from_prefix(dut, s["name"]), *ends, mem=self.memory)
            self.slaves[name].log.setLevel("ERROR")
        self.vectors = {n: beats(n if s["dir"] == "in" else f"{n}_expected") for n, s in self.streams.items()}
        self.masks = {n: beats(f"{n}_mask") for n, s in self.streams.items() if s["dir"] == "out"}

    async def reset(self):
        self.dut.ap_rst_n.value = 0
        await ClockCycles(self.dut.ap_clk, 4)
        self.dut.ap_rst_n.value = 1
        await ClockCycles(self.dut.ap_clk, 2)

    async def read(self, name):
        data = await self.registers.read(offset(name), 4)
        assert data.resp == AxiResp.OKAY, name
        return int.from_bytes(data.data, "little")

    async def read_word(self, address):
        data = await self.registers.read(address, 4)
        return data.resp, int.from_bytes(data.data, "little")

    async def write(self, address, value):
        return (await self.registers.write(address, value.to_bytes(4, "little"))).resp

    def stall(self, idle, backpressure):
        """Whether memories pause where they give, and where they take."""
        channels = []
        for slave in self.slaves.values():
            if hasattr(slave, "r_channel"):
                channels += [(slave.r_channel, idle), (slave.ar_channel, backpressure)]
            else:
                channels += [(slave.b_channel, idle), (slave.aw_channel, backpressure), (slave.w_channel, backpressure)]
        for n, (channel, on) in enumerate(channels):
            channel.clear_pause_generator()
            channel.pause = False
            if on:
                channel.set_pause_generator(pauses(SEED + n))

    def span(self, index, stream):
        begin = sum(j["beats"][stream] for j in CORE["jobs"][:index])
        return begin, begin + CORE["jobs"][index]["beats"][stream]

    def beat_bytes(self, stream):
        memory = self.streams[stream]["bus"]["memory"]
        return memory["word_bytes"] * memory["beat_words"]

    def in_memory(self, index, stream):
        """Beats of a pass of a job."""
        at = offset(f"{stream}_beats")
        return next(w["value"] for w in CORE["jobs"][index]["writes"] if w["offset"] == at)

    def place(self, index):
        """Puts the inputs of a job into memory, and gives the address of each stream: far apart, and not where a burst would end."""
        addresses = {}
        for n, (name, s) in enumerate(self.streams.items()):
            port = s["bus"]["memory"]["word_bytes"]
            addresses[name] = SPACE - (1 << 40) + (n << 28) + (index << 24) + 0x1000 - 3 * port
            begin, _ = self.span(index, name)
            count, size = self.in_memory(index, name), self.beat_bytes(name)
            data = b"".join(b.to_bytes(size, "little") for b in self.vectors[name][begin : begin + count])
            data = data if s["dir"] == "in" else bytes([UNTOUCHED]) * (len(data) + port)
            self.memory.write(addresses[name], data)
        return addresses

    async def set_up(self, index):
        addresses = self.place(index)
        for name, address in addresses.items():
            assert await self.write(offset(f"{name}_address_low"), address & 0xFFFFFFFF) == AxiResp.OKAY
            assert await self.write(offset(f"{name}_address_high"), address >> 32) == AxiResp.OKAY
        for write in CORE["jobs"][index]["writes"]:
            assert await self.write(write["offset"], write["value"]) == AxiResp.OKAY
        return addresses

    async def done(self):
        while not (state := await self.read("ap_control")) & DONE:
            assert not state & IDLE
        return state

    def check(self, index, addresses):
        """The outputs equal the model, and nothing behind them was written."""
        for name, mask in self.masks.items():
            (begin, end), size = self.span(index, name), self.beat_bytes(name)
            port = self.streams[name]["bus"]["memory"]["word_bytes"]
            data = self.memory.read(addresses[name], size * (end - begin) + port)
            for n, beat in enumerate(range(begin, end)):
                got = int.from_bytes(data[size * n : size * (n + 1)], "little")
                want, care = self.vectors[name][beat], mask[beat]
                assert got & care == want & care, f"{name}[{n}]: {got:x}, expected {want:x} under {care:x}"
            assert data[-port:] == bytes([UNTOUCHED]) * port, name

    async def sound(self):
        for register in CORE["registers"]:
            sticky = sum(1 << f["lsb"] for f in register["fields"] if f["access"] == "writeonetoclear")
            if sticky and register["name"] != "interrupt_status":
                assert await self.read(register["name"]) & sticky == 0, register["name"]

    async def run(self, index):
        addresses = await self.set_up(index)
        assert await self.read("ap_control") & IDLE
        assert await self.write(offset("ap_control"), START) == AxiResp.OKAY
        state = await with_timeout(self.done(), *PATIENCE)
        assert state & (START | IDLE | READY) == IDLE | READY, hex(state)
        assert await self.read("ap_control") == IDLE, "done stays after it was read"
        self.check(index, addresses)
        await self.sound()


async def bench(dut, memories=True):
    b = Bench(dut, memories)
    await b.reset()
    return b


@cocotb.test()
async def jobs_equal_the_model_with_stalls_and_without(dut):
    b = await bench(dut)
    for idle, backpressure in STALLS[:: len(STALLS) - 1]:
        b.stall(idle, backpressure)
        for index, job in enumerate(CORE["jobs"]):
            await b.run(index)
            cycles = await b.read("cycles")
            assert cycles >= job["cycles"]
            dut._log.info(f"{job['name']}: {cycles} cycles")
    lengths = {name: max(n for _, n in rules.bursts) for name, rules in b.rules.items()}
    dut._log.info(f"longest bursts {lengths}, most under way {({n: r.most for n, r in b.rules.items()})}")


@cocotb.test()
async def a_reset_in_the_middle_of_a_job_leaves_a_sound_kernel(dut):
    b = await bench(dut)
    index = max(range(len(CORE["jobs"])), key=lambda n: CORE["jobs"][n]["cycles"])
    draw = random.Random(SEED)
    for _ in range(2):
        b.stall(True, False)
        await b.set_up(index)
        await b.write(offset("ap_control"), START)
        await ClockCycles(dut.ap_clk, draw.randint(1, CORE["jobs"][index]["cycles"]))
        b.stall(False, False)
        await b.reset()
        await b.run(index)


@cocotb.test()
async def interrupts_and_restarts_are_those_of_ap_ctrl_hs(dut):
    b = await bench(dut)
    assert not int(dut.interrupt.value)
    await b.write(offset("interrupt_enable"), 1)
    assert await b.read("interrupt_enable") == 1
    await b.set_up(0)

    # Without the global enable an interrupt is seen in the status alone.
    await b.write(offset("ap_control"), START)
    await with_timeout(b.done(), *PATIENCE)
    assert await b.read("interrupt_status") == 1 and not int(dut.interrupt.value)
    await b.write(offset("global_interrupt_enable"), 1)
    await ClockCycles(dut.ap_clk, 4)
    assert int(dut.interrupt.value)

    # XRT writes what it read. A written zero clears nothing.
    await b.write(offset("interrupt_status"), 0)
    assert await b.read("interrupt_status") == 1
    await b.write(offset("interrupt_status"), 1)
    await ClockCycles(dut.ap_clk, 4)
    assert await b.read("interrupt_status") == 0 and not int(dut.interrupt.value)

    # A job that starts itself anew, until it is told not to.
    addresses = await b.set_up(0)
    await b.write(offset("ap_control"), START | AUTO_RESTART)
    for _ in range(3):
        await with_timeout(RisingEdge(dut.interrupt), *PATIENCE)
        assert await b.read("ap_control") & DONE
        await b.write(offset("interrupt_status"), 1)
    b.check(0, addresses)
    await b.write(offset("ap_control"), 0)
    while not await b.read("ap_control") & IDLE:
        pass
    await b.write(offset("interrupt_enable"), 0)
    await b.write(offset("interrupt_status"), 3)
    await b.read("ap_control")
    await b.run(0)


@cocotb.test()
async def registers_identify_the_kernel_and_xrt_may_write_every_argument(dut):
    b = await bench(dut)
    assert await b.read("id") == 0x424C5447
    assert f"{await b.read('config_hash'):08x}" == CORE["config_hash"][:8]
    words = {r["offset"] for r in CORE["registers"]}
    arguments = [r["offset"] for r in CORE["registers"] if 0x10 <= r["offset"] < 0x800]
    reserved = [at for at in range(0x10, max(arguments), 4) if at not in words]
    assert reserved
    for at in reserved:
        assert await b.write(at, 0xFFFFFFFF) == AxiResp.OKAY, hex(at)
        assert await b.read_word(at) == (AxiResp.OKAY, 0), hex(at)
    hole = next(at for at in range(max(arguments) + 4, 0x800, 4) if at not in words)
    assert await b.write(hole, 0) == AxiResp.SLVERR and await b.read_word(hole) == (AxiResp.SLVERR, 0)
    pointer = next(iter(b.streams)) + "_address_high"
    assert field(pointer)["max"] == 0xFFFFFFFF
    for value in [0xFFFFFFFF, 0x12345678, 0]:
        await b.write(offset(pointer), value)
        assert await b.read(pointer) == value
    await b.run(0)


@cocotb.test()
async def an_error_of_the_memory_is_told(dut):
    b = await bench(dut)
    for name, slave in b.slaves.items():
        await b.set_up(0)

        async def fail(*_):
            raise ValueError("no such memory")

        kept = {way: getattr(slave, way) for way in ("_read", "_write") if hasattr(slave, way)}
        for way in kept:
            setattr(slave, way, fail)
        slave.log.setLevel("CRITICAL")
        await b.write(offset("ap_control"), START)
        await with_timeout(b.done(), *PATIENCE)
        for way, method in kept.items():
            setattr(slave, way, method)
        told = field(f"{name}_memory_error")
        assert await b.read("wrapper_status") >> told["lsb"] == 1, name
        await b.write(offset("wrapper_status"), 1 << told["lsb"])
        await b.reset()
        await b.run(0)
