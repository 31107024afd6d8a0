"""Which policy a run starts from."""

from typing import Literal, Self

from pydantic import model_validator

from worldtune.config.base import Config, Count, PositiveFloat, PositiveInt


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
    copy_steps: Count = 200
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
