"""The machine as configured: threads and device."""

import torch

from worldtune.config import ComputeConfig


def configure(config: ComputeConfig) -> torch.device:
    """Set the CPU threads and choose the device. Raises ValueError for cuda without a GPU."""
    torch.set_num_threads(config.threads)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("compute.device is 'cuda' but no GPU is usable: set it to 'cpu' or 'auto'")
    use_gpu = config.device != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if use_gpu else "cpu")
