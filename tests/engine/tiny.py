"""Small models and a small task, built in memory: what the tests of the engine train on."""

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from worldtune.contracts import Score
from worldtune.engine.model.policy import Policy, as_policy
from worldtune.engine.task.text_task import TextTask

ARCHITECTURES = {
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "gpt2": (GPT2Config, GPT2LMHeadModel),
    "gpt_neox": (GPTNeoXConfig, GPTNeoXForCausalLM),
}
_GPT2_NAMES = {
    "hidden_size": "n_embd",
    "intermediate_size": "n_inner",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
}
VOCABULARY = 37
WORDS = ("red", "green", "blue", "black", "white", "pink", "grey", "brown")


def tiny_model(
    architecture: str = "qwen2",
    *,
    kv_heads: int = 4,
    tied: bool = False,
    vocabulary: int = VOCABULARY,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    head_bias: bool = False,
    **extra: object,
) -> PreTrainedModel:
    """Two layers of width 32; weights are drawn wide, so that predictions are far from uniform.

    ``extra`` goes into the configuration of transformers. The last three architectures stand for
    those that are not run by the fastest path.
    """
    config_class, model_class = ARCHITECTURES[architecture]
    shape = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 256,
        "tie_word_embeddings": tied,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "bos_token_id": None,
    }
    if architecture == "gpt2":
        shape = {_GPT2_NAMES.get(name, name): value for name, value in shape.items()}
    elif architecture != "gpt_neox":
        shape["num_key_value_heads"] = kv_heads
    if architecture == "qwen3":
        shape["head_dim"] = 8
    if architecture == "mistral":
        shape["sliding_window"] = None
    torch.manual_seed(seed)
    model = model_class(config_class(**(shape | extra)))
    if head_bias:
        head = model.get_output_embeddings()
        head.bias = nn.Parameter(torch.zeros(vocabulary))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.15)
    return model.to(dtype).eval()


def tiny_policy(architecture: str = "qwen2", **options: object) -> Policy:
    return as_policy(tiny_model(architecture, **options))


def plain_copy(model: PreTrainedModel) -> PreTrainedModel:
    """The same weights in the unmodified model, with torch's own attention.

    Not transformers' eager attention, whose softmax is float32 even in a float64 model.
    """
    twin = copy.deepcopy(model)
    twin.set_attn_implementation("sdpa")
    return twin


def plain_logp(
    model: nn.Module, prompt: list[int], completion: list[int], temperature: float = 1.0
) -> torch.Tensor:
    """[completion] log-probabilities by one ordinary forward pass over prompt and completion."""
    ids = torch.tensor([[*prompt, *completion]])
    logits = model(input_ids=ids, use_cache=False).logits[0] / temperature
    logp = logits.log_softmax(dim=-1)
    first = len(prompt) - 1
    return torch.stack([logp[first + i, token] for i, token in enumerate(completion)])


def clean_float64(monkeypatch: object, architecture: str) -> None:
    """Take the float32 inside transformers' norms and rotary embeddings out, on both sides."""
    names = {"qwen2": "Qwen2", "qwen3": "Qwen3", "llama": "Llama", "mistral": "Mistral"}
    name = names.get(architecture, "GPTNeoX")
    module = importlib.import_module(f"transformers.models.{architecture}.modeling_{architecture}")

    def norm(self: nn.Module, states: torch.Tensor) -> torch.Tensor:
        variance = states.pow(2).mean(-1, keepdim=True)
        return self.weight * (states * torch.rsqrt(variance + self.variance_epsilon))

    def rotary(
        self: nn.Module, x: torch.Tensor, position_ids: torch.Tensor, *args: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        angles = position_ids[..., None].to(x.dtype) * self.inv_freq.to(x.dtype)
        both = torch.cat([angles, angles], dim=-1)
        return both.cos(), both.sin()

    if architecture in names:
        monkeypatch.setattr(getattr(module, f"{name}RMSNorm"), "forward", norm)
    if architecture != "gpt2":
        monkeypatch.setattr(getattr(module, f"{name}RotaryEmbedding"), "forward", rotary)


def word_tokenizer(words: tuple[str, ...] = WORDS) -> PreTrainedTokenizerFast:
    """One token per word: a vocabulary so small that a tiny model learns in a few steps."""
    vocabulary = {word: i for i, word in enumerate(("<pad>", "<eos>", "<unk>", *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


@dataclass(frozen=True)
class ColourDomain:
    """Answer a colour with colours; the reward is the share of words that are the wanted one."""

    reward: Callable[[str, str], float]
    name: str = "colour"
    primary_metric: str = "right"
    higher_is_better: bool = True
    token_pattern: str = r" ?\w+"
    group_name: str = "initial"

    def prompt(self, row):
        return row["question"]

    def completion(self, row):
        return row["answer"]

    def decode(self, row, completion):
        return completion.split() or None

    def score(self, row, completion):
        total = self.reward(row["answer"], completion)
        return Score(total, {"twice": 2 * total}, parsed=bool(completion.split()))

    def metrics(self, row, prediction):
        return {"right": float(prediction == row["answer"].split())}

    def subsets(self, row):
        return frozenset({"warm"} if row["question"].startswith(("red", "pink")) else {"cold"})

    def group(self, row):
        return row["question"][0]

    def is_change(self, row, prediction):
        return prediction != ["grey"]

    def copy_prediction(self, row):
        return row["question"].split()

    def item_spans(self, completion):
        spans, start = [], 0
        for word in completion.split():
            start = completion.index(word, start)
            spans.append((start, start + len(word)))
            start += len(word)
        return spans


def share_of_red(answer: str, completion: str) -> float:
    words = completion.split()
    return words.count("red") / len(words) if words else 0.0


def same_words(answer: str, completion: str) -> float:
    return float(completion.split() == answer.split())


def colour_rows() -> list[dict[str, str]]:
    """Every colour is answered by the two that follow it."""
    num = len(WORDS)
    return [
        {"question": WORDS[i], "answer": f"{WORDS[(i + 1) % num]} {WORDS[(i + 2) % num]}"}
        for i in range(num)
    ]


def colour_task(reward: Callable[[str, str], float] = same_words) -> TextTask:
    return TextTask(ColourDomain(reward), word_tokenizer())


def colour_policy(seed: int = 0) -> Policy:
    """A near-uniform tiny model over the vocabulary of the colour task."""
    model = tiny_model(vocabulary=len(word_tokenizer()), seed=seed)
    return as_policy(model)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def assert_same_weights(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), f"{name} differs"
