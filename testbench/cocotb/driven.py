"""The PYNQ driver of a package runs jobs on the Verilog: its registers over AXI4-Lite, its DMA transfers as packets.

Called through run.py by generator/flow/tests/packages.rs, with the tensors of each job in jobs/<job>/<tensor>.npy.
"""

import importlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace

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
        self.tasks = []

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
        move = self.send if channel.name in self.bench.sources else self.receive
        self.tasks.append(cocotb.start_soon(move(channel, data)))

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
    async def advance(self, cycles=16):
        await ClockCycles(self.bench.dut.aclk, cycles)

    def stop(self):
        """Stops every channel."""
        for task in self.tasks:
            task.cancel()


def new_driver():
    """The generated class, whose pauses are cycles of the simulator."""
    module = importlib.import_module(CORE["top"])
    sys.modules[f"{CORE['top']}.core"].time = SimpleNamespace(
        monotonic=time.monotonic, sleep=lambda seconds: pynq.device.advance(int(seconds * 1e6))
    )
    return next(c for c in vars(module).values() if isinstance(c, type) and "bindto" in vars(c))({})


def drive(job, timeout):
    """Runs a job through a new driver; gives the driver, the outputs, and what they should be."""
    driver = new_driver()
    driver.connect(**{s["stream"]: pynq.Channel(s["stream"], 1 << 14, 128) for s in CORE["axi_streams"]})
    tensors = {file.stem: np.load(file) for file in (FOLDER / "jobs" / job["name"]).iterdir()}
    inputs = {t["name"] for t in CORE["tensors"] if t["role"] == "in"}
    outputs = driver.run(timeout, **{name: tensor for name, tensor in tensors.items() if name in inputs})
    return driver, outputs, {name: tensor for name, tensor in tensors.items() if name not in inputs}


def run(job):
    """A job whose outputs are the model's; gives the counters."""
    driver, outputs, expected = drive(job, timeout=600.0)
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
async def the_driver_ends_what_hangs_and_starts_anew(dut):
    b = await bench(dut, AxiLiteMaster)
    pynq.device = Device(b)
    stuck = list(b.sources.values())[-1]
    stuck.pause = True
    try:
        await bridge(drive)(CORE["jobs"][0], timeout=0.1)
    except TimeoutError as error:
        assert "_stalls" in str(error), error
    else:
        raise AssertionError("nothing hangs")

    # What the sources still have is dropped during the reset, and the next job is sound.
    async def recover():
        await ClockCycles(dut.aclk, 100)
        stuck.pause = False

    cocotb.start_soon(recover())
    await bridge(lambda: new_driver().reset())()
    pynq.device.stop()
    await bridge(run)(CORE["jobs"][-1])
