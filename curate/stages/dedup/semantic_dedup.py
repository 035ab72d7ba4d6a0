"""Semantic duplicates: rows whose embeddings point the same way, told by the exact cosine of what is stored.

    embedding ─► pairs (faiss gathers, exact cosine) ─► choice at a threshold
    dear         once for a model                       again for each threshold

Each part has a key of its own, so another threshold embeds and compares nothing again.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
import xxhash
from pydantic import AfterValidator, Field, model_validator

from curate.arrow_rows import ArrowRows
from curate.embedding import BUILT_IN, ModelRef, SentenceModel, model_folder, no_library, static_embeddings
from curate.errors import StageError
from curate.nearest import LEVEL, SCALE, packed, quantized
from curate.stage import Composite, Only, Score, Sketch, Stage
from curate.stages.dedup.keeping import Keeping, KeepingSelect
from curate.stages.dedup.pieces import pieces, salts
from curate.stages.dedup.texts import On, compared_texts, negations, number_hashes

EMBEDDING = "semantic_embedding"

_NEGATED = 0x5DEECE66D5DEECE
"""What the salt of a text that negates is changed by."""


def _hundredth(value: float) -> float:
    if round(value * SCALE) % LEVEL:
        raise ValueError("similarities go by hundredths, such as 0.93")
    return value


Hundredth = Annotated[float, AfterValidator(_hundredth)]


class StaticEmbedding(Score):
    """Embeds what is compared of each row by the packaged static model, in whole numbers."""

    name: ClassVar[str] = "semantic_embedding"
    writes: ClassVar[tuple[str, ...]] = (EMBEDDING,)
    aside: ClassVar[bool] = True

    on: On = Field(description="what is compared")

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the embedding of each row (Binary, an int8 a number), null where there is nothing to compare."""
        return _spread(rows, compared_texts(rows, self.on), static_embeddings)


class ModelEmbedding(Score):
    """Embeds what is compared of each row by a sentence-transformers model."""

    name: ClassVar[str] = "semantic_embedding"
    writes: ClassVar[tuple[str, ...]] = (EMBEDDING,)
    aside: ClassVar[bool] = True
    cost: ClassVar[Literal["cheap", "dear"]] = "dear"
    gpus: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ("sentence-transformers", "transformers", "torch")

    model: ModelRef = Field(description="folder or Hugging Face id of a sentence-transformers model")
    prompt: str = Field(description="what the model wants before a text")
    on: On = Field(description="what is compared")

    def check(self) -> None:
        """Raises a StageError when the model or the library that runs it is missing."""
        model_folder(self.model)
        if find_spec("sentence_transformers") is None:
            raise StageError(no_library(self.model))

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the embedding of each row (Binary, an int8 a number), null where there is nothing to compare."""
        model = SentenceModel(self.model, self.prompt)
        return _spread(rows, compared_texts(rows, self.on), lambda texts: model.embed(texts.to_list()))


def _spread(rows: pl.DataFrame, texts: pl.DataFrame, embed: Any) -> pl.DataFrame:
    found = pl.Series([None], dtype=pl.Binary).new_from_index(0, rows.height)
    if texts.height:
        found = found.scatter(texts["row"], packed(quantized(embed(texts["text"]))))
    return pl.DataFrame({EMBEDDING: found})


class _Compares(KeepingSelect):
    """What finding pairs and deciding over them have in common: the rows, their order, and which are never compared."""

    needs: ClassVar[tuple[str, ...]] = (EMBEDDING,)

    on: On = Field(default="row", description="what is compared")
    same_calls: bool = Field(default=True, description="rows whose tool calls differ are not compared")
    same_numbers: bool = Field(default=True, description="rows that name different numbers are not compared")
    same_negation: bool = Field(default=True, description="rows of which one negates are not compared")

    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """Returns digest, vector and salt of the rows that have an embedding."""
        at = rows[EMBEDDING].is_not_null().arg_true()
        vectors = rows[EMBEDDING].gather(at)
        salt = self._salts(rows).gather(at)
        keyed = [v + s.to_bytes(8, "little", signed=True) for v, s in zip(vectors, salt, strict=True)]
        digests = np.frombuffer(b"".join(map(xxhash.xxh3_128_digest, keyed)), ">u8").reshape(-1, 2).astype(np.uint64)
        return Sketch(
            pl.DataFrame(
                {
                    "row": at.cast(pl.UInt32),
                    "high": digests[:, 0],
                    "low": digests[:, 1],
                    "rank": self.ranks(rows).gather(at),
                    "weight": pl.zeros(len(at), dtype=pl.UInt32, eager=True),
                    "vector": vectors,
                    "salt": salt,
                }
            )
        )

    def _salts(self, rows: ArrowRows) -> pl.Series:
        """Returns a number for each row; rows with different ones are never compared."""
        calls = pieces(rows, self.on, False).calls
        found = salts(rows, calls if self.same_calls else np.zeros_like(calls))
        texts = compared_texts(rows.frame(), self.on)
        at = texts["row"].to_numpy()
        if self.same_numbers:
            found[at] ^= number_hashes(texts["text"])
        if self.same_negation:
            found[at] ^= np.where(negations(texts["text"]), _NEGATED, 0)
        return pl.Series(found, dtype=pl.Int64)


class SemanticPairs(_Compares):
    """Finds the pairs of rows whose embeddings are alike."""

    name: ClassVar[str] = "semantic_pairs"
    phase: ClassVar[Literal["whole", "find", "decide"]] = "find"
    libraries: ClassVar[tuple[str, ...]] = ("faiss-cpu",)

    floor: Hundredth = Field(description="least similarity that is noted")

    @property
    def least(self) -> float:
        """The floor."""
        return self.floor


class SemanticChoice(_Compares):
    """Drops a row when its embedding is as alike as a threshold asks to that of a row that stays."""

    name: ClassVar[str] = "semantic_dedup"
    phase: ClassVar[Literal["whole", "find", "decide"]] = "decide"
    reasons: ClassVar[tuple[str, ...]] = ("semantic_duplicate",)

    threshold: Hundredth = Field(description="least similarity of a duplicate")

    @property
    def least(self) -> float:
        """The threshold."""
        return self.threshold


class SemanticDedup(Composite, Keeping):
    """Drops a row when the cosine of its embedding and that of a row that stays reaches a threshold."""

    name: ClassVar[str] = "semantic_dedup"
    reasons: ClassVar[tuple[str, ...]] = SemanticChoice.reasons

    model: ModelRef = Field(
        default=ModelRef(BUILT_IN),
        description="`built-in` (static, English meaning and other languages' wording, no download), or the folder or "
        "Hugging Face id (`id@revision`) of any sentence-transformers model",
    )
    prompt: str = Field(default="", description="what the model wants before a text, such as `query: `")
    threshold: Hundredth = Field(default=0.95, gt=0, le=1, description="least cosine of a duplicate, in hundredths")
    floor: Hundredth = Field(
        default=0.8, gt=0, le=1, description="least cosine that is noted: how far down the threshold can be moved"
    )
    on: On = Field(
        default="row",
        description="what is compared: all turns, all before the last answer, or the last answer; a preference pair or "
        "judged completion goes by its prompt (its answer for `answer`), a document by its text",
    )
    same_calls: bool = Field(
        default=True, description="rows whose tool calls differ in function or arguments are not duplicates"
    )
    same_numbers: bool = Field(
        default=True, description="rows that name different numbers, in digits, are not duplicates"
    )
    same_negation: bool = Field(
        default=True, description="a row with a word of negation and one without are not duplicates"
    )
    protect: Only | None = Field(default=None, description="rows that are seen but never dropped")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        if self.floor > self.threshold:
            raise ValueError(f"`floor` ({self.floor}) is above `threshold` ({self.threshold}); set it lower")
        if self.model == BUILT_IN and self.prompt:
            raise ValueError("`prompt` is for models that want one; the built-in model does not")
        return self

    def parts(self) -> tuple[Stage, ...]:
        """Returns embedding, pairs and choice."""
        compared: dict[str, Any] = {name: getattr(self, name) for name in _Compares.model_fields}
        embedding: Stage = StaticEmbedding(only=self.only, on=self.on)
        if self.model != BUILT_IN:
            embedding = ModelEmbedding(only=self.only, on=self.on, model=self.model, prompt=self.prompt)
        return (
            embedding,
            SemanticPairs(**compared, floor=self.floor),
            SemanticChoice(**compared, threshold=self.threshold),
        )
