"""A tokenizer trained on a domain's own text, in Hugging Face format.

Byte-level BPE over pre-tokens that the domain defines: frequent ids, words and numbers become one
token each, everything else falls back to smaller pieces, down to bytes, so that any text
round-trips.
"""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, EOS = "<pad>", "<eos>"


def train_tokenizer(
    texts: Iterable[str], *, pattern: str, vocab_size: int, min_frequency: int = 2
) -> PreTrainedTokenizerFast:
    """Train a tokenizer.

    Args:
        texts: training text only; validation and test text must not be seen.
        pattern: regular expression of one pre-token; pieces never cross its matches.
        vocab_size: upper bound, special tokens and the 256 bytes included.
        min_frequency: rarest pair of pieces that is merged.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=[PAD, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
    )
