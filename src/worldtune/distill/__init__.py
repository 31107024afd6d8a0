"""Demonstrations with reasoning from a larger model, by rejection sampling. Knows no Kedro.

A teacher behind an OpenAI-compatible endpoint answers training rows, several times each; answers
whose reward reaches a threshold become data for SFT (paper, appendix). ``run.distill`` is the whole
of it: choose rows, ask (``asking``, ``teacher``, ``pace``, ``ledger``), judge, make tables.
"""
