"""The PYNQ driver of a package runs jobs on the Verilog: its registers over AXI4-Lite, its DMA transfers as packets.

Called through run.py by generator/flow/tests/packages.rs, with the tensors of each job in jobs/<job>/<tensor>.npy.
"""

import importlib
import sys
from pathlib import Path

import cocotb
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteMaster, AxiResp, AxiStreamFrame

from wrapped import CORE, FOLDER, bench

sys.path[:0] = [str(FOLDER / "pynq"), str(Path(__file__).parents[1] / "pynq")]
import numpy as np  # noqa: E402
import pynq  # noqa: E402


class Device:
    """The core in the simulator, for a driver that runs in a thread of its own."""

    def __init__(self, bench):
        self.bench = bench

    @resume
    async def read(self, offset):
        data = await self.bench.registers.read(offset, 4)
        assert data.resp == AxiResp.OKAY, hex(offset)
        return int.from_bytes(data.data, "little")

    @resume
    async def write(self, offset, value):
        assert await self.bench.write(offset, value) == AxiResp.OKAY, hex(offset)

    @resume
    async def start(self, channel, data):
        cocotb.start_soon((self.send if channel.name in self.bench.sources else self.receive)(channel, data))

    async def send(self, channel, data):
        source = self.bench.sources[channel.name]
        await source.send(AxiStreamFrame(bytes(data)))
        await source.wait()
        channel.busy = False

    async def receive(self, channel, data):
        frame = await self.bench.sinks[channel.name].recv()
        assert len(frame.tdata) == len(data), f"{channel.name}: a packet of {len(frame.tdata)} bytes, room for {len(data)}"
        data[:] = np.frombuffer(bytes(frame.tdata), np.uint8)
        channel.busy = False

    @resume
    async def advance(self):
        await ClockCycles(self.bench.dut.aclk, 16)


def drive(job, timeout):
    """Runs a job through a new driver; gives the driver, the outputs, and what they should be."""
    module = importlib.import_module(CORE["top"])
    driver = next(c for c in vars(module).values() if isinstance(c, type) and "bindto" in vars(c))({})
    driver.connect(**{s["stream"]: pynq.Channel(s["stream"], 1 << 14, 128) for s in CORE["axi_streams"]})
    tensors = {file.stem: np.load(file) for file in (FOLDER / "jobs" / job["name"]).iterdir()}
    inputs = {t["name"] for t in CORE["tensors"] if t["role"] == "in"}
    outputs = driver.run(timeout, **{name: tensor for name, tensor in tensors.items() if name in inputs})
    return driver, outputs, {name: tensor for name, tensor in tensors.items() if name not in inputs}


def run(job):
    """A job whose outputs are the model's; gives the counters."""
    driver, outputs, expected = drive(job, timeout=60.0)
    assert outputs.keys() == expected.keys()
    for name, got in outputs.items():
        assert (got == expected[name]).all(), f"{name}: {(got != expected[name]).sum()} elements differ"
    return driver.counters()


@cocotb.test()
async def the_driver_runs_jobs_on_the_core(dut):
    b = await bench(dut, AxiLiteMaster)
    pynq.device = Device(b)
    for job in CORE["jobs"] * 2:
        counters = await bridge(run)(job)
        assert counters["cycles"] >= job["cycles"]
        dut._log.info(f"{job['name']}: {counters}")


@cocotb.test()
async def the_driver_ends_what_hangs(dut):
    b = await bench(dut, AxiLiteMaster)
    pynq.device = Device(b)
    for source in b.sources.values():
        source.pause = True
    try:
        await bridge(drive)(CORE["jobs"][0], timeout=0.1)
    except TimeoutError as error:
        assert "'cycles': 0" in str(error), error
    else:
        raise AssertionError("nothing hangs")
