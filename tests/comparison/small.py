"""The setting of a comparison that takes seconds."""

from worldtune.comparison import Setting
from worldtune.config import (
    CompareConfig,
    ComputeConfig,
    EvaluateConfig,
    LaunchConfig,
    ModelConfig,
    OptimizerConfig,
    RlvrConfig,
    RlvrOptimizerConfig,
    ScratchModelConfig,
    SftConfig,
    WebTaskConfig,
)

SEEDS = (1, 2)
ADAMW = OptimizerConfig(learning_rate=0.01)


def setting(folder, few=None):
    return Setting(
        domain="web",
        task=WebTaskConfig(),
        model=ModelConfig(
            scratch=ScratchModelConfig(
                hidden_size=32,
                num_layers=2,
                num_heads=2,
                num_kv_heads=2,
                intermediate_size=48,
                vocab_size=400,
                context=1024,
                copy_steps=0,
            )
        ),
        sft=SftConfig(
            steps=40, batch_rows=6, validation_rows=2, max_new_tokens=24, optimizer=ADAMW
        ),
        rlvr=RlvrConfig(
            steps=2,
            batch_prompts=2,
            update_prompts=2,
            group_size=3,
            validation_rows=2,
            max_new_tokens=24,
            optimizer=RlvrOptimizerConfig(**ADAMW.model_dump()),
        ),
        evaluate=EvaluateConfig(samples=2, sampled_rows=3, max_new_tokens=24, resamples=50),
        compare=CompareConfig(seeds=SEEDS, few=few),
        compute=ComputeConfig(threads=1, device="cpu"),
        launch=LaunchConfig(),
        folder=folder,
    )
