"""Reads and writes the safetensors file of the example with the standard library and numpy alone.

A safetensors file is a little-endian u64 header length, that many bytes of JSON, then the tensors' bytes.
"""

import json
import struct
from pathlib import Path

import numpy as np

DTYPES = {"I8": np.dtype("int8"), "U16": np.dtype("<u2"), "F16": np.dtype("<f2")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}

FILE = Path(__file__).with_name("weights.safetensors")


def write(path, tensors, metadata):
    """Writes int8, uint16 and float16 arrays by name and a dict of strings."""
    header, body = {"__metadata__": metadata}, b""
    # Wide elements first, so that every tensor is aligned to its element.
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        data = array.tobytes()
        span = [len(body), len(body) + len(data)]
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": span}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def read(path):
    """The arrays by name and the metadata; ValueError says what is wrong with the file."""
    data = Path(path).read_bytes()
    if len(data) < 8:
        raise ValueError(f"{path}: {len(data)} bytes, too short for a safetensors file")
    (length,) = struct.unpack_from("<Q", data)
    if length > len(data) - 8:
        raise ValueError(f"{path}: header of {length} bytes in a file of {len(data)}")
    header = json.loads(data[8 : 8 + length])
    if not isinstance(header, dict):
        raise ValueError(f"{path}: the header is no JSON object")
    metadata, body = header.pop("__metadata__", {}), data[8 + length :]
    try:
        return {name: _tensor(path, name, entry, body) for name, entry in header.items()}, metadata
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: malformed tensor entry in the header: {error}") from error


def _tensor(path, name, entry, body):
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"{path}: tensor {name} is {entry['dtype']}; this example uses {', '.join(DTYPES)}")
    start, end = entry["data_offsets"]
    dtype, size = DTYPES[entry["dtype"]], int(np.prod(entry["shape"]))
    if not 0 <= start <= end <= len(body) or end - start != size * dtype.itemsize:
        raise ValueError(f"{path}: tensor {name} of shape {entry['shape']} does not fit its bytes {start}..{end}")
    return np.frombuffer(body[start:end], dtype).reshape(entry["shape"])
