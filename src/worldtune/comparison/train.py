"""The trained arms of one seed: SFT, RLVR from it, and SFT continued for as many seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worldtune import launch, worker
from worldtune.comparison.setting import Chain, Data, Setting
from worldtune.config import SftConfig

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trained:
    """The checkpoints of one seed by arm, the start first, and the seconds that each took."""

    paths: Mapping[str, str]
    wall_s: Mapping[str, float]


def longer_config(sft: SftConfig, *, steps: int, rate: float) -> SftConfig:
    """SFT continued for ``steps`` steps at ``rate`` times its peak learning rates."""
    optimizer = sft.optimizer.model_copy(
        update={
            "learning_rate": sft.optimizer.learning_rate * rate,
            "muon_learning_rate": sft.optimizer.muon_learning_rate * rate,
        }
    )
    return sft.model_copy(update={"steps": steps, "optimizer": optimizer})


def train_seed(setting: Setting, chain: Chain, data: Data, *, seed: int) -> Trained:
    """Train the three arms of a chain, each in a folder of its own."""

    def train(name: str, stage: str, rows: "pd.DataFrame", **fields: Any) -> dict[str, Any]:
        folder = setting.folder / f"seed-{seed}" / name
        spec = _spec(setting, stage, seed, label=f"seed {seed} {name}", **fields)
        worker.write_spec(folder, spec, {"train": rows, "val": data.validation})
        return launch.run(folder)

    shown, asked = data.demonstrations, data.prompts
    sft = train(chain.start, "sft", shown, training=setting.sft, model=setting.model)
    start = sft["model"]
    rlvr = train(chain.rlvr, "rlvr", asked, training=setting.rlvr, start=start)
    seconds_per_step = sft["metrics"]["wall_s"] / sft["metrics"]["steps"]
    steps = max(1, round(rlvr["metrics"]["wall_s"] / seconds_per_step))
    more = longer_config(setting.sft, steps=steps, rate=setting.compare.longer_rate)
    longer = train(chain.longer, "sft", shown, training=more, start=start)
    results = {chain.start: sft, chain.longer: longer, chain.rlvr: rlvr}
    return Trained(
        {name: result["model"] for name, result in results.items()},
        {name: result["metrics"]["wall_s"] for name, result in results.items()},
    )


def wall_times(trained: Sequence[Trained]) -> dict[str, list[float]]:
    """Arm -> seconds of training, one for each seed."""
    return {arm: [one.wall_s[arm] for one in trained] for arm in trained[0].wall_s}


def _spec(setting: Setting, stage: str, seed: int, **fields: Any) -> worker.RunSpec:
    return worker.RunSpec.model_validate(
        {
            "stage": stage,
            "domain": setting.domain,
            "task": setting.task,
            "seed": seed,
            "compute": setting.compute,
            "launch": setting.launch,
            **fields,
        }
    )
