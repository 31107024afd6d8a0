"""worldtune: tune a world model, by supervised fine-tuning and then by RL with verifiable rewards.

Importing the package imports neither torch nor transformers nor great_expectations.
"""

__version__ = "0.1.0"
