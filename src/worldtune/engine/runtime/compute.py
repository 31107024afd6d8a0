"""The machine as configured: threads and device."""

import os

import torch

from worldtune.config import ComputeConfig


def threads_per_process(config: ComputeConfig, processes: int) -> int:
    """CPU threads of each of the processes on this machine: more would take each other's cores."""
    return max(1, config.threads // processes)


def configure(config: ComputeConfig, *, processes: int = 1) -> torch.device:
    """Set the CPU threads and choose the device of this process, one of ``processes`` here.

    Raises ValueError for cuda without a GPU, and for more processes than GPUs.
    """
    torch.set_num_threads(threads_per_process(config, processes))
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("compute.device is 'cuda' but no GPU is usable: set it to 'cpu' or 'auto'")
    if config.device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    if processes > torch.cuda.device_count():
        raise ValueError(
            f"launch.processes is {processes} but this machine has {torch.cuda.device_count()} "
            "GPUs: lower it, or set compute.device to 'cpu'"
        )
    # torch.distributed.run numbers the processes of a machine; one that runs alone has no number.
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
