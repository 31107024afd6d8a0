"""What the weights compute: attention over shared prompts, packing, log-probabilities."""
