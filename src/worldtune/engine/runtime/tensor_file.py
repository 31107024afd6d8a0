"""Tensors in the safetensors format, written down to the disk and hashed on the way."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldtune.engine.runtime import durable

_CHUNK = 1 << 24

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""How safetensors names the types."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write a safetensors file down to the disk; returns its sha256.

    Written and hashed in one pass, tensor by tensor: no copy of the whole is made, and a tensor on
    a GPU or sharded over processes is fetched when its turn comes.
    """
    order = ordered(tensors)
    offset, header = 0, {}
    for name in order:
        tensor, start = tensors[name], offset
        offset += tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, offset],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with path.open("wb", buffering=0) as file:
        for part in _parts(len(text).to_bytes(8, "little") + text, order, tensors):
            digest.update(part)
            durable.write_all(file.fileno(), part)
        os.fsync(file.fileno())
    return digest.hexdigest()


def ordered(tensors: Mapping[str, Tensor]) -> list[str]:
    """The order of tensors in a file: wide types first, so that all are aligned."""
    return sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))


def whole(tensor: Tensor) -> Tensor:
    """A tensor on the CPU; one that is sharded over processes is gathered, by all of them."""
    sharded: Any = tensor.detach()
    full: Tensor = sharded.full_tensor() if hasattr(sharded, "full_tensor") else sharded
    return full.cpu()


def _parts(header: bytes, order: list[str], tensors: Mapping[str, Tensor]) -> Iterator[memoryview]:
    yield memoryview(header)
    for name in order:
        flat = whole(tensors[name]).contiguous().reshape(-1).view(torch.uint8)
        view = flat.numpy().data
        yield from (view[start : start + _CHUNK] for start in range(0, len(view), _CHUNK))
