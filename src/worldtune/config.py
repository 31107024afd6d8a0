"""Every parameter of every stage: one frozen pydantic class per concern, defaults stated once.

YAML under ``conf/`` states only what a domain or an environment changes. Unknown keys are
forbidden, so that a misspelt key stops a run before any work. The classes hold no logic beyond
checks that need two fields; what a value does is said beside it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Config(BaseModel):
    """Base of all parameter classes: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class WebSource(Config):
    """Where web transitions come from: a format and a local file, folder or hub id."""

    kind: Literal["recorded", "thuml_cot", "wma", "mind2web", "jsonl"] = "recorded"
    path: str = "data/01_raw/web/transitions.parquet"


class WebIngestConfig(Config):
    """Ingestion of web transitions."""

    source: WebSource = WebSource()
    limit: PositiveInt | None = None
    """Keep only the first rows of each split, spread evenly over it; None keeps all."""
    max_tokens: PositiveInt = 1024
    """Rows whose estimated prompt and answer exceed this are quarantined as too_long."""
    max_bad_fraction: Fraction = 0.02
    """The run stops when a larger share of rows is quarantined."""
    max_unchanged_fraction: Fraction = 0.25
    """Surplus rows in which nothing changes are left out, by a seeded rule."""
    val_fraction: Fraction = 0.08
    """Share of validation rows where the source brings no split of its own."""
    test_fraction: Fraction = 0.16
    """Share of test rows where the source brings no split of its own."""


class WebTaskConfig(Config):
    """How a web row is written for the model and how its answer is scored."""

    layout: Literal["compact", "zero_shot"] = "compact"
    """compact: short text for models trained from scratch; zero_shot: the paper's chat prompt."""
    reward: Literal["f1", "reference_f1"] = "f1"


class ScratchModelConfig(Config):
    """A small Llama trained from scratch with a tokenizer of its own."""

    hidden_size: PositiveInt = 128
    num_layers: PositiveInt = 4
    num_heads: PositiveInt = 4
    num_kv_heads: PositiveInt = 4
    intermediate_size: PositiveInt = 384
    vocab_size: PositiveInt = 4096
    """Upper bound; the training split may need fewer tokens."""
    context: PositiveInt = 2048
    rope_theta: PositiveFloat = 1e6
    copy_steps: Annotated[int, Field(ge=0)] = 200
    """Steps of synthetic copying that sharpen the induction heads of the initialisation."""

    @model_validator(mode="after")
    def _check_heads(self) -> Self:
        if self.hidden_size % self.num_heads or self.num_heads % self.num_kv_heads:
            raise ValueError("hidden_size must divide by num_heads, and num_heads by num_kv_heads")
        if self.copy_steps and (self.num_kv_heads != self.num_heads or self.num_layers < 2):
            raise ValueError(
                "copy_steps needs two layers or more and as many num_kv_heads as num_heads; "
                "set copy_steps to 0 for other shapes"
            )
        return self


class LoraConfig(Config):
    """Low-rank adapters on every linear layer (peft)."""

    rank: PositiveInt = 32
    alpha: PositiveInt = 16


class PretrainedModelConfig(Config):
    """A causal language model in Hugging Face format."""

    path: str = ""
    """Local folder or hub id."""
    dtype: Literal["float32", "bfloat16"] = "float32"


class ModelConfig(Config):
    """The policy before SFT. Only the section named by ``init`` is used."""

    init: Literal["scratch", "pretrained"] = "scratch"
    scratch: ScratchModelConfig = ScratchModelConfig()
    pretrained: PretrainedModelConfig = PretrainedModelConfig()

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.init == "pretrained" and not self.pretrained.path:
            raise ValueError(
                "model.init is 'pretrained': set model.pretrained.path to a folder or hub id"
            )
        return self


class OptimizerConfig(Config):
    """Update rule. Muon moves the hidden matrices, AdamW everything else (all, for kind adamw)."""

    kind: Literal["muon", "adamw"] = "adamw"
    learning_rate: PositiveFloat = 1e-3
    """Peak rate of AdamW."""
    muon_learning_rate: PositiveFloat = 0.02
    """Peak rate of Muon; unused by adamw."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: PositiveFloat = 1.0
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    """Shape of the decay after the plateau."""
    warmup_fraction: Fraction = 0.02
    decay_fraction: Fraction = 0.3
    """Share of the steps over which the rate decays (all after warm-up at 1.0)."""
    final_fraction: Fraction = 0.0
    """Share of the peak that the decay ends at, one step after the last."""


class RlvrOptimizerConfig(OptimizerConfig):
    """The update rule of RLVR: the same, at a constant rate unless told otherwise."""

    schedule: Literal["constant", "linear", "cosine"] = "constant"
    warmup_fraction: Fraction = 0.0


class RunConfig(Config):
    """What SFT and RLVR share: cadence of checkpoints and validation, size of one pass."""

    checkpoint_every: PositiveInt = 100
    """Steps between resumable checkpoints."""
    validate_every: Annotated[int, Field(ge=0)] = 0
    """Steps between greedy validations; 0 validates at the end only."""
    validation_rows: PositiveInt = 200
    max_new_tokens: PositiveInt = 96
    """Longest completion that is sampled or validated."""
    tokens_per_pass: PositiveInt = 16384
    """Most tokens in one forward and backward pass; larger batches are split and accumulated."""
    lora: LoraConfig | None = None
    """Train adapters only; they are merged into the saved checkpoint. None trains all weights."""
    resume: bool = True
    """Continue an interrupted run and reuse a finished one of the same specification."""


class SftConfig(RunConfig):
    """Supervised fine-tuning on the completion tokens."""

    steps: PositiveInt = 1000
    batch_rows: PositiveInt = 12
    optimizer: OptimizerConfig = OptimizerConfig()


class RlvrConfig(RunConfig):
    """GRPO on the verifiable reward (paper, section 3.2 and eq. 4)."""

    steps: PositiveInt = 200
    batch_prompts: PositiveInt = 12
    """Prompts sampled per step."""
    update_prompts: PositiveInt = 12
    """Prompts per optimizer update; fewer than batch_prompts makes the later updates off-policy."""
    group_size: Annotated[int, Field(ge=2)] = 8
    temperature: PositiveFloat = 1.0
    normalize_std: bool = True
    """Divide advantages by the group's standard deviation (GRPO); False is Dr. GRPO's choice."""
    clip_low: PositiveFloat = 0.2
    clip_high: PositiveFloat = 0.2
    kl_coefficient: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the k3 estimate of the divergence from the SFT model in the loss."""
    entropy_coefficient: Annotated[float, Field(ge=0)] = 0.0
    optimizer: RlvrOptimizerConfig = RlvrOptimizerConfig()

    @model_validator(mode="after")
    def _check_updates(self) -> Self:
        if self.batch_prompts % self.update_prompts:
            raise ValueError("batch_prompts must be a multiple of update_prompts")
        return self


class EvaluateConfig(Config):
    """Greedy and sampled evaluation on the test splits."""

    max_rows: PositiveInt | None = None
    """Rows per split, the first of a seeded shuffle; None evaluates all."""
    samples: PositiveInt = 4
    """Completions per row at temperature 1, for the sampled mean and the best of n."""
    sampled_rows: PositiveInt = 300
    """Rows per split that are also sampled."""
    max_new_tokens: PositiveInt = 96
    resamples: PositiveInt = 2000
    """Bootstrap resamples behind each interval."""
    report_examples: PositiveInt = 24


class CompareConfig(Config):
    """RLVR beside its controls over several training seeds."""

    seeds: tuple[int, ...] = (1, 2, 3)
    longer_rate: PositiveFloat = 0.5
    """Peak learning rate of the continued SFT as a share of the rate of SFT."""


class ComputeConfig(Config):
    """The machine."""

    threads: PositiveInt = 2
    device: Literal["auto", "cpu", "cuda"] = "auto"


class WebConfig(Config):
    """Parameters of the web domain, in the order of its stages."""

    ingest: WebIngestConfig = WebIngestConfig()
    task: WebTaskConfig = WebTaskConfig()
    model: ModelConfig = ModelConfig()
    sft: SftConfig = SftConfig()
    rlvr: RlvrConfig = RlvrConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    compare: CompareConfig = CompareConfig()


DOMAIN_CONFIGS: dict[str, type[Config]] = {"web": WebConfig}


def domain_config(name: str) -> type[Config]:
    """The class of a domain's parameters. Raises KeyError for an unknown domain."""
    return DOMAIN_CONFIGS[name]


def task_config(domain: str, raw: Mapping[str, Any]) -> Config:
    """The ``task`` parameters of a domain as its own class. Raises ValidationError."""
    task_class = domain_config(domain).model_fields["task"].annotation
    assert isinstance(task_class, type) and issubclass(task_class, Config), f"{domain} has no task"
    return task_class.model_validate(raw)
