"""What a run needs around its algorithm: machine, checkpoints, metrics."""
