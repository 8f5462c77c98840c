"""Measures what a kernel moves through its AXI ports to memories with a latency; `run.py` starts it.

For a core without registers of sizes that takes a beat and gives a beat every cycle, so that the port alone decides. The memories take a request a
cycle and a word a cycle, and answer LATENCY cycles later.
"""

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiReadBus, AxiResp, AxiWriteBus
from cocotbext.axi.axi_channels import AxiARSink, AxiAWSink, AxiBSource, AxiBTransaction, AxiRSource, AxiRTransaction, AxiWSink

from kernel import START, bench
from wrapped import CORE, offset

# Cycles of an access to HBM on U280 through its switch, with a reserve.
LATENCY = 256
BEATS = 20_000
CLOCK_NS = 4


class Delay:
    """What goes in comes out LATENCY cycles later."""

    def __init__(self, clock):
        self.clock, self.queue = clock, Queue()

    def put(self, item):
        self.queue.put_nowait((item, get_sim_time("ns") + LATENCY * CLOCK_NS))

    async def get(self):
        item, due = await self.queue.get()
        while get_sim_time("ns") < due:
            await RisingEdge(self.clock)
        return item


class Port:
    """The memory at one master; counts the cycles from its first word to its last."""

    def __init__(self, dut, stream, memory):
        self.memory, self.bytes = memory, stream["bus"]["memory"]["word_bytes"]
        self.delay = Delay(dut.ap_clk)
        ends = (dut.ap_clk, dut.ap_rst_n, False)
        if stream["dir"] == "in":
            bus = AxiReadBus.from_prefix(dut, stream["name"])
            self.ar, self.r = AxiARSink(bus.ar, *ends), AxiRSource(bus.r, *ends)
            tasks, ends = [self.requests(), self.reads()], (bus.r.rvalid, bus.r.rready)
        else:
            bus = AxiWriteBus.from_prefix(dut, stream["name"])
            self.aw, self.w, self.b = AxiAWSink(bus.aw, *ends), AxiWSink(bus.w, *ends), AxiBSource(bus.b, *ends)
            tasks, ends = [self.writes(), self.answers()], (bus.w.wvalid, bus.w.wready)
        self.times = []
        for task in tasks + [self.count(dut.ap_clk, *ends)]:
            cocotb.start_soon(task)

    async def count(self, clock, valid, ready):
        while True:
            await RisingEdge(clock)
            if int(valid.value) and int(ready.value):
                self.times.append(get_sim_time("ns") // CLOCK_NS)

    async def requests(self):
        while True:
            self.delay.put(await self.ar.recv())

    async def reads(self):
        while True:
            request = await self.delay.get()
            words = int(request.arlen) + 1
            for n in range(words):
                address = int(request.araddr) + n * self.bytes
                word = int.from_bytes(self.memory.read(address, self.bytes), "little")
                await self.r.send(AxiRTransaction(rid=0, rdata=word, rresp=AxiResp.OKAY, rlast=n == words - 1))

    async def writes(self):
        while True:
            request = await self.aw.recv()
            for n in range(int(request.awlen) + 1):
                address = int(request.awaddr) + n * self.bytes
                self.memory.write(address, int((await self.w.recv()).wdata).to_bytes(self.bytes, "little"))
            self.delay.put(None)

    async def answers(self):
        while True:
            await self.delay.get()
            await self.b.send(AxiBTransaction(bid=0, bresp=AxiResp.OKAY))

    def share(self):
        """Words a cycle, from the first word to the last."""
        return len(self.times) / (self.times[-1] - self.times[0] + 1)


@cocotb.test()
async def a_port_moves_nearly_a_word_a_cycle(dut):
    b = await bench(dut, memories=False)
    assert not any("passes" in r["name"] for r in CORE["registers"]), "one pass alone"
    ports = {name: Port(dut, s, b.memory) for name, s in b.streams.items()}
    # A job of the testbench, again and again.
    period = CORE["jobs"][0]["beats"]
    addresses = {}
    for n, name in enumerate(b.streams):
        addresses[name], size = n << 32, b.beat_bytes(name)
        begin, end = b.span(0, name)
        data = b"".join(v.to_bytes(size, "little") for v in b.vectors[name][begin:end])
        if b.streams[name]["dir"] == "in":
            b.memory.write(addresses[name], (data * (size * BEATS // len(data) + 1))[: size * BEATS])
        assert await b.write(offset(f"{name}_address_low"), addresses[name] & 0xFFFFFFFF) == AxiResp.OKAY
        assert await b.write(offset(f"{name}_address_high"), addresses[name] >> 32) == AxiResp.OKAY
        assert await b.write(offset(f"{name}_beats"), BEATS) == AxiResp.OKAY
    begin = get_sim_time("ns") // CLOCK_NS
    await b.write(offset("ap_control"), START)
    await ClockCycles(dut.ap_clk, BEATS)
    await with_timeout(b.done(), 100, "us")
    whole = get_sim_time("ns") // CLOCK_NS - begin
    for name, mask in b.masks.items():
        size, (begin, _) = b.beat_bytes(name), b.span(0, name)
        data = b.memory.read(addresses[name], size * BEATS)
        for n in range(BEATS):
            got, at = int.from_bytes(data[size * n : size * (n + 1)], "little"), begin + n % period[name]
            assert got & mask[at] == b.vectors[name][at] & mask[at], f"{name}[{n}]"
    for name, port in ports.items():
        words, wide = len(port.times), 8 * port.bytes
        under_way = b.rules[name].most
        print(f"port {name}: {words} words of {wide} bits, {100 * port.share():.2f} % of a word a cycle, "
              f"{100 * words / whole:.2f} % with start and end, latency {LATENCY}, at most {under_way} bursts under way")
        assert words == BEATS and port.share() >= 0.95 and words / whole >= 0.95
