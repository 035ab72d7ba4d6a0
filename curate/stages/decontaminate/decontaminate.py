"""decontaminate: finds rows that hold items of evaluation sets, and drops or tags them.

N-grams of 8 words and half of an item covered are the measure of Tülu 3 (Lambert et al. 2024, section 3.2 of the
data chapter); that at least 13 words must be covered is the evidence GPT-3 (Brown et al. 2020, appendix C) and PaLM ask
for. Questions too short for that are matched as wholes, exactly or nearly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from pydantic import BeforeValidator, Field, model_validator

from curate.rows import turns
from curate.stage import Composite, Filter, Stage, Survey, Surveyed
from curate.stages.decontaminate.benchmark import Benchmark
from curate.stages.decontaminate.index import ANSWER, KIND_NAMES, Array, Index, index_of
from curate.stages.decontaminate.items import read_benchmarks
from curate.stages.decontaminate.scan import scan
from curate.stages.decontaminate.similarity import notes, summary, tally
from curate.stages.decontaminate.units import WEIGHT, packed
from curate.stages.decontaminate.verify import verified

COLUMNS = ("contamination", "contamination_item", "contamination_part")
LOWEST = 0.3
"""Lowest score that is recorded: the room to move the threshold in without scoring again."""
_NEVER = 1 << 62


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, (str, dict)) else value


Against = Annotated[tuple[Benchmark, ...], BeforeValidator(_as_list)]
Part = Literal["question", "choices", "answer"]
_AGAINST = (
    "evaluation sets: files, folders, globs, URLs or hf:// addresses, each a path or `{path:, name:, columns:}`; any "
    "shape the sources read, multiple choice too"
)
_NGRAM = "words in an n-gram; a character of Chinese, Japanese or Thai counts half a word"
_MIN_WORDS = "fewest words covered that are evidence; shorter questions are matched as wholes"
_NEAR = "least similarity of a question that is matched nearly: typing slips, no other words or numbers"
_COMMON = "n-grams in more than this many items of one set are template text and no evidence"
_ROLES = ("system", "user", "assistant", "tool", "document")


class DecontaminateScore(Survey):
    """Measures how much of an evaluation item each row holds."""

    name: ClassVar[str] = "decontaminate_score"
    writes: ClassVar[tuple[str, ...]] = COLUMNS
    libraries: ClassVar[tuple[str, ...]] = ("opencc", "rapidfuzz")

    against: Against = Field(min_length=1, description=_AGAINST)
    match: tuple[Part, ...] = Field(min_length=1, description="parts of an item that are looked for")
    ngram: int = Field(ge=2, le=50, description=_NGRAM)
    min_words: int = Field(ge=2, description=_MIN_WORDS)
    near: float = Field(ge=0.5, le=1, description=_NEAR)
    common: int = Field(ge=1, description=_COMMON)
    roles: tuple[str, ...] = Field(description="roles of the turns searched")

    def survey(self, rows: pl.DataFrame) -> Surveyed:
        """Returns contamination (share of the item, 4 decimals, 0 when none), the item's id and part; every match of
        at least 0.3; and the similarity of the items to these rows.
        """
        return self.survey_against(self._index(), rows)

    def survey_against(self, index: Index, rows: pl.DataFrame) -> Surveyed:
        """Returns the same against an index made elsewhere, of some of the items."""
        said = turns(rows).filter(pl.col("role").is_in(list(self.roles)))
        data, offsets, kinds = packed(said["text"])
        candidates, best = scan(index, data, offsets, kinds, WEIGHT * self.ngram, self._floors(index))
        wanted = np.isin(index.sizes.kind, [KIND_NAMES.index(part) for part in self.match])
        matches = verified(index, data, offsets, candidates[wanted[candidates[:, 1]]], self.near)
        matches = matches.filter(pl.col("score") >= LOWEST)
        found = tally(index, best, matches)
        told = _told(index, rows, said, matches)
        return Surveyed(_scores(rows.height, told), told.drop("row", "set", "number"), found)

    def check(self) -> None:
        """Reads the evaluation sets.

        Raises:
            StageError: when one is missing, empty, or of no shape that is known.
        """
        read_benchmarks(self.against)

    def summary(self, tallies: Iterable[pl.DataFrame]) -> dict[str, Any]:
        """Returns the figures of each evaluation set."""
        return summary(self._index(), tallies)

    def notes(self, summary: dict[str, Any]) -> Iterator[str]:
        """Yields a line for each evaluation set."""
        return notes(summary)

    def told(self, matches: pl.DataFrame) -> Iterator[str]:
        """Yields each match: which item, how much of it, and the text on both sides."""
        for line in matches.iter_rows(named=True):
            where = f"{line['field']} turn {line['turn']} ({line['role']})"
            item = f"{line['item']}, {line['file']}:{line['line']}"
            yield f"{where} holds the {line['part']} of {item} ({line['how']}, {line['score']:.2f})"
            yield f"    row:  {_short(line['row_span'])}"
            yield f"    item: {_short(line['item_span'])}"

    def _index(self) -> Index:
        return index_of(self.against, self.ngram, self.min_words, self.common)

    def _floors(self, index: Index) -> Array:
        """Returns the weight that must be covered of each part; no coverage is enough for parts that are too short.

        An answer needs twice the words: steps of sums and closing phrases are shared by answers to other questions.
        """
        own = index.long.own
        least = WEIGHT * self.min_words * np.where(index.sizes.kind == ANSWER, 2, 1)
        floors = np.maximum(least, np.ceil(LOWEST * own).astype(np.int64))
        return np.where(own >= least, floors, _NEVER)


class DecontaminateBounds(Filter):
    """Drops or notes rows that hold more of an evaluation item than allowed."""

    name: ClassVar[str] = "decontaminate_bounds"
    needs: ClassVar[tuple[str, ...]] = COLUMNS
    reasons: ClassVar[tuple[str, ...]] = ("holds_question", "holds_choices", "holds_answer")

    threshold: float = Field(ge=LOWEST, le=1, description="score from which a row is contaminated")
    action: Literal["drop", "tag"] = Field(description="what happens to contaminated rows")

    @property
    def only_notes(self) -> bool:
        """True for ``action: tag``."""
        return self.action == "tag"

    def judge(self, rows: pl.DataFrame) -> pl.Series:
        """Returns which part of an item a row holds, or null."""
        hit = (pl.col("contamination") >= self.threshold).fill_null(False)
        return rows.select(reason=pl.when(hit).then(pl.concat_str(pl.lit("holds_"), "contamination_part")))["reason"]

    def evidence(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the item and the share of it."""
        return rows.select(other_id="contamination_item", score="contamination")


class Decontaminate(Composite):
    """Drops or tags rows that hold questions, choices or answers of evaluation sets."""

    name: ClassVar[str] = "decontaminate"
    writes: ClassVar[tuple[str, ...]] = COLUMNS
    reasons: ClassVar[tuple[str, ...]] = DecontaminateBounds.reasons
    libraries: ClassVar[tuple[str, ...]] = DecontaminateScore.libraries

    against: Against = Field(min_length=1, description=_AGAINST)
    threshold: float = Field(
        default=0.5, ge=LOWEST, le=1, description="share of an item's own text from which a row is contaminated"
    )
    action: Literal["drop", "tag"] = Field(
        default="drop", description="drop the row; tag: keep it, with its score columns and a note in the ledger"
    )
    match: tuple[Part, ...] = Field(
        default=("question", "choices", "answer"), min_length=1, description="parts of an item that are looked for"
    )
    ngram: int = Field(default=8, ge=2, le=50, description=_NGRAM)
    min_words: int = Field(default=13, ge=2, description=_MIN_WORDS)
    near: float = Field(default=0.92, ge=0.5, le=1, description=_NEAR)
    common: int = Field(default=10, ge=1, description=_COMMON)
    roles: tuple[str, ...] = Field(default=_ROLES, description="roles of the turns searched")

    @model_validator(mode="after")
    def _evidence_holds_an_ngram(self) -> Self:
        if self.min_words < self.ngram:
            raise ValueError(f"`min_words` ({self.min_words}) is less than `ngram` ({self.ngram}): make it as large")
        return self

    def parts(self) -> tuple[Stage, ...]:
        """Returns the measure and the verdict."""
        return (
            DecontaminateScore(
                only=self.only,
                against=self.against,
                match=self.match,
                ngram=self.ngram,
                min_words=self.min_words,
                near=self.near,
                common=self.common,
                roles=self.roles,
            ),
            DecontaminateBounds(only=self.only, threshold=self.threshold, action=self.action),
        )


def _told(index: Index, rows: pl.DataFrame, said: pl.DataFrame, matches: pl.DataFrame) -> pl.DataFrame:
    """Returns the matches with what rows and items are called; sorted by row, the best of each row first."""
    parts = matches["part"].to_numpy()
    items = [index.items[at] for at in index.sizes.item[parts]]
    where = said[matches["text"].to_numpy()]
    sets = {name: number for number, name in enumerate(index.benchmarks.names)}
    frame = pl.DataFrame(
        {
            "row": where["row"],
            "id": rows["id"].gather(where["row"]),
            "field": where["field"],
            "turn": where["turn"],
            "role": where["role"],
            "benchmark": [item.benchmark for item in items],
            "item": [item.id for item in items],
            "item_name": [item.name for item in items],
            "file": [item.file for item in items],
            "line": [item.line for item in items],
            "part": [KIND_NAMES[kind] for kind in index.sizes.kind[parts]],
            "how": matches["how"],
            "score": matches["score"],
            "row_span": matches["row_span"],
            "item_span": matches["item_span"],
            "set": [sets[item.benchmark] for item in items],
            "number": [item.number for item in items],
        },
        schema_overrides=dict.fromkeys(("benchmark", "item", "item_name", "file", "part"), pl.String)
        | dict.fromkeys(("line", "set", "number"), pl.Int64),
    )
    order = ["row", "score", "set", "number", "part", "field", "turn"]
    descending = [name in ("score", "part") for name in order]
    return frame.sort(order, descending=descending, maintain_order=True)


def _scores(height: int, told: pl.DataFrame) -> pl.DataFrame:
    best = told.unique("row", keep="first", maintain_order=True)
    index = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    spread = index.join(best.select("row", "score", "item", "part"), on="row", how="left", maintain_order="left")
    return spread.select(
        contamination=pl.col("score").fill_null(0.0), contamination_item="item", contamination_part="part"
    )


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 200 else f"{flat[:197]}…"
