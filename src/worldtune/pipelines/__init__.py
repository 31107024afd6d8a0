"""One package per stage; each makes the stage's pipeline for any domain with ``create_pipeline``.

Nodes are thin: unpack, call the domain or the worker, return a plain value. Nothing here imports
torch, transformers or great_expectations at module level, so that listing pipelines stays fast.
"""
