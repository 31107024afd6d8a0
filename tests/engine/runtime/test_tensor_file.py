"""Tensor files that safetensors reads, with the hash that they say they have."""

import hashlib

import torch
from safetensors.torch import load_file

from worldtune.engine.runtime.durable import sha256_file
from worldtune.engine.runtime.tensor_file import _CHUNK, write_tensors

DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)


def every_kind_of_tensor():
    torch.manual_seed(0)
    tensors = {f"{d}": (torch.randn(3, 5) * 3).to(d) for d in DTYPES}
    return tensors | {
        "scalar": torch.tensor(7.0),
        "empty": torch.zeros(0, 4),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "odd.bytes": torch.arange(3, dtype=torch.uint8),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "larger than a chunk": torch.randint(0, 255, (_CHUNK + 9,), dtype=torch.uint8),
    }


def test_tensors_of_every_type_and_shape_come_back_from_safetensors_to_the_bit(tmp_path):
    tensors = every_kind_of_tensor()
    digest = write_tensors(tmp_path / "a.safetensors", tensors)
    loaded = load_file(tmp_path / "a.safetensors")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (loaded[name].dtype, loaded[name].shape) == (tensor.dtype, tensor.shape), name
        assert torch.equal(loaded[name], tensor), name
    content = (tmp_path / "a.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() == digest
    assert sha256_file(tmp_path / "a.safetensors") == digest


def test_the_bytes_of_a_tensor_file_do_not_depend_on_the_order_of_its_names(tmp_path):
    tensors = every_kind_of_tensor()
    turned = dict(reversed(tensors.items()))
    assert write_tensors(tmp_path / "a", tensors) == write_tensors(tmp_path / "b", turned)
