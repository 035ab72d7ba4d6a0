"""The packaged static model: pieces as WordPiece cuts them, English by meaning, other text by its wording."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from curate.embedding import static_embeddings, static_model
from curate.embedding.static_model import HASHED, TABLE


def cosines(*texts: str) -> np.ndarray:
    """Returns the cosines of texts with each other."""
    found = static_embeddings(pl.Series(texts, dtype=pl.String)).astype(np.float64)
    unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1)
    return unit @ unit.T


def test_the_table_is_the_one_the_version_stands_for() -> None:
    """Another table would give other results: raise the stage's version with it, then write its digest here."""
    digest = hashlib.sha256(TABLE.read_bytes()).hexdigest()[:16]
    assert (digest, HASHED) == ("47efc07f41db307d", 60_000)


def test_english_goes_by_meaning() -> None:
    """Paraphrases are nearer than unrelated texts, whatever words they share with none."""
    likes = cosines(
        "How do I reset my password?", "What is the way to change a forgotten password?", "Write a poem about the sea.",
        "Compose a poem on the ocean.", "How many legs does a spider have?",
    )  # fmt: skip
    assert likes[0, 1] > 0.6
    assert likes[2, 3] > 0.6
    assert likes[0, 2] < 0.3
    assert likes[4, :4].max() < 0.4


def test_chinese_goes_by_wording() -> None:
    """Chinese with the same pairs of characters is alike, other Chinese is not, whatever it means."""
    likes = cosines("我想退掉昨天买的鞋子", "昨天买的鞋子我想退货", "今天天气怎么样", "怎么把买来的东西还回去")
    assert likes[0, 1] > 0.6
    assert np.abs(likes[0, 2:]).max() < 0.35


def test_case_width_accents_and_marks_do_not_count() -> None:
    """Folded spellings are one text."""
    likes = cosines("Café au lait, please!", "cafe au lait please", "ＣＡＦＥ au lait — please…")
    assert likes.min() > 0.9999


@pytest.mark.parametrize("text", ["", "…", " \n", "!?", "。，"])
def test_text_without_letters_points_nowhere(text: str) -> None:
    """Marks alone have no embedding."""
    assert not static_embeddings(pl.Series([text])).any()


def test_any_script_has_an_embedding() -> None:
    """Scripts and words the table does not know are told apart by their hash."""
    likes = cosines(
        "Добрый день", "नमस्ते दुनिया", "안녕하세요 여러분", "สวัสดีชาวโลก", "ça va œuvre ßtraße", "😀😃", "qzxqj vvkqx"
    )
    assert (np.diag(likes) > 0.999).all()
    assert np.abs(likes - np.diag(np.diag(likes))).max() < 0.45


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("abcdeinorst19 -", max_size=30), max_size=5))
def test_words_are_cut_as_wordpiece_cuts_them(texts: list[str]) -> None:
    """Sums equal those over the pieces that the tokenizers library gives."""
    with np.load(TABLE) as file:
        pieces, vectors, scales = bytes(file["pieces"]).decode().split("\n"), file["vectors"], file["scales"]
    whole = vectors.astype(np.int64) * scales[:, None]
    reference = _reference(tuple(pieces))
    for text, found in zip(texts, static_embeddings(pl.Series(texts, dtype=pl.String)), strict=True):
        ids = reference.encode(text).ids
        assert np.array_equal(found, whole[ids].sum(axis=0))


def _reference(pieces: tuple[str, ...]) -> Tokenizer:
    if pieces not in _MADE:
        vocabulary = {piece: at for at, piece in enumerate(pieces)} | {"[UNK]": len(pieces)}
        made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=64))
        made.normalizer = normalizers.Lowercase()
        made.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(" ", "removed"), pre_tokenizers.Split("-", "removed")]
        )
        _MADE[pieces] = made
    return _MADE[pieces]


_MADE: dict[tuple[str, ...], Tokenizer] = {}


def test_batches_change_nothing() -> None:
    """A text has one embedding, whatever stands beside it."""
    texts = pl.Series(["one", "", "two words", "三个字", "Ünïcode"])
    apart = np.concatenate([static_embeddings(texts[at : at + 1]) for at in range(len(texts))])
    assert np.array_equal(static_embeddings(texts), apart)
    assert static_embeddings(texts.clear()).shape == (0, static_model._table().vectors.shape[1])
