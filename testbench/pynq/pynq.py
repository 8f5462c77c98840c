"""A stand-in for PYNQ on a machine without a board: the parts that a generated driver uses, strict where PYNQ is.

Registers and channels belong to whatever stands in for the hardware: it sets `device`, and `design` where a bitstream is loaded.
"""

from pathlib import Path

import numpy as np

device = None
# From the bitstream's file to what the design holds: cells by name.
design = None


class DefaultIP:
    """A peripheral; `read` and `write` take byte offsets."""

    def __init__(self, description):
        self.description = description

    def _device(self):
        return self.description.get("device", device)

    def read(self, offset=0):
        return self._device().read(offset)

    def write(self, offset, value):
        assert isinstance(value, int) and 0 <= value < 1 << 32, value
        self._device().write(offset, value)


class Overlay:
    """A loaded bitstream; its cells are attributes. Drivers are those whose classes were known before."""

    def __init__(self, bitfile):
        assert Path(bitfile).suffix == ".bit" and Path(bitfile).with_suffix(".hwh").exists(), bitfile
        self.__dict__.update(design(Path(bitfile)))


class Buffer(np.ndarray):
    """Memory that a DMA sees; what it holds before something is written is no zero."""

    live = 0

    def freebuffer(self):
        Buffer.live -= 1


def allocate(shape, dtype="u4"):
    Buffer.live += 1
    buffer = np.full(shape, 0xA5, dtype).view(Buffer)
    return buffer


class Channel:
    """A channel of a simple AXI DMA; the device moves the bytes."""

    def __init__(self, name, max_size, align, own=None):
        self.name, self._max_size, self.align, self._own = name, max_size, align, own
        self.busy = self.error = False
        self.buffer = None

    @property
    def idle(self):
        (self._own or device).advance()
        return not self.busy

    def transfer(self, array, start=0, nbytes=0):
        assert isinstance(array, Buffer) and not self.busy, self.name
        nbytes = nbytes or array.nbytes - start
        assert 0 < nbytes <= self._max_size and start + nbytes <= array.nbytes, (self.name, start, nbytes)
        assert start % self.align == 0, f"{self.name}: no channel without realignment starts at {start}"
        self.busy, self.buffer = True, array
        (self._own or device).start(self, array.view(np.ndarray).reshape(-1)[start : start + nbytes])

    def wait(self):
        if self.error:
            raise RuntimeError("DMA Slave Error (cannot access memory map interface)")
        while not self.idle:
            pass
