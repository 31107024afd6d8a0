"""A tokenizer that any text survives, whose pieces keep to the domain's pre-tokens."""

import re

import pytest
from transformers import AutoTokenizer

from worldtune.engine.task.tokenizer import train_tokenizer

PATTERN = r"\n\t*[+\-~]?| \[\d+\]| ?[A-Za-z]+[:=]?| ?\d+| ?[^\sA-Za-z\d]|\s"
TEXTS = [f"\n\t [{i}] button Save now | pressed: True\n+ [{i}] link Delete" for i in range(30)]

ODD = [
    "",
    " ",
    "\n\n\t\t\n",
    "tabs\tand  two spaces ",
    "caf\u00e9 na\u00efve \u00df",
    "\U0001f600\U0001f469\u200d\U0001f4bb family \U0001f1e9\U0001f1ea",
    "\u4f60\u597d \u0645\u0631\u062d\u0628\u0627",
    "e\u0301 combining, \u00a0 no-break, \u200b zero width",
    "[1] button 'It\u2019s' key: \"x\" <pad-like> \\n \\t",
    "\x00\x01\x7f\r\n",
    "a" * 300,
    "button. , Save , n't 's ! ?",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, pattern=PATTERN, vocab_size=600)


@pytest.mark.parametrize("text", ODD + TEXTS[:1])
def test_any_text_comes_back_unchanged(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_pieces_never_cross_a_pre_token(tokenizer):
    for text in TEXTS:
        edges = {m.end() for m in re.finditer(PATTERN, text)}
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        for start, end in encoded.offset_mapping:
            assert not any(start < edge < end for edge in edges), repr(text[start:end])


def test_frequent_words_and_ids_are_single_tokens(tokenizer):
    for piece in (" button", " Save", " pressed:", " [7]", "\n+"):
        assert len(tokenizer(piece, add_special_tokens=False).input_ids) == 1, piece


def test_the_vocabulary_comes_from_the_given_text_alone():
    with_word = train_tokenizer(["zebra crossing"] * 3, pattern=PATTERN, vocab_size=400)
    without = train_tokenizer(["horse racing"] * 3, pattern=PATTERN, vocab_size=400)
    assert len(with_word(" zebra zebra", add_special_tokens=False).input_ids) < len(
        without(" zebra zebra", add_special_tokens=False).input_ids
    )
    assert "zebra" in with_word.get_vocab()
    assert not any("zeb" in piece for piece in without.get_vocab())


def test_the_size_is_bounded_and_special_tokens_come_first(tokenizer):
    small = train_tokenizer(TEXTS, pattern=PATTERN, vocab_size=300)
    assert len(small) <= 300
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)


def test_training_twice_gives_the_same_vocabulary():
    first, second = (train_tokenizer(TEXTS, pattern=PATTERN, vocab_size=500) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()


def test_a_saved_tokenizer_encodes_alike(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in ODD + TEXTS[:3]:
        assert loaded(text).input_ids == tokenizer(text).input_ids, repr(text)
