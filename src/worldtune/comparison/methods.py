"""The first table: RLVR and its controls, all of them open to all training rows.

* ``sft``: the start of the others.
* ``sft_longer``: SFT continued from it for as many seconds as RLVR took.
* ``sft_threshold``: its answers without the items it is unsure of.
* ``rlvr``: RLVR from it.
"""

from worldtune.comparison.setting import Chain, Table

METHODS = Table(
    Chain(start="sft", longer="sft_longer", rlvr="rlvr"),
    arms=("sft", "sft_longer", "sft_threshold", "rlvr"),
)

NOTE = (
    "Intervals resample rows (paired for gains) after averaging over training seeds, so that they "
    "do not contain the spread between seeds, which the per-seed values show. sft_longer is SFT "
    "continued from the same checkpoint for the wall time of RLVR. sft_threshold leaves out "
    "predicted items whose probability is below a threshold tuned on validation rows. Where seeds "
    "start from one pretrained checkpoint, they differ in the order of the data and in the draws."
)
