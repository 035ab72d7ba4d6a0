"""Near-duplicates: MinHash finds candidates, the true Jaccard of their shingle sets decides.

Sets are made anew for candidates, and kept only in an index: they weigh more than the text.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field, field_validator

from curate.arrow import arrow_numbers, series_of
from curate.arrow_rows import ArrowRows
from curate.stage import Reference, Sketch
from curate.stages.dedup.banding import Bands, most_apart, solve
from curate.stages.dedup.earlier import FORMAT, IndexRef, flat_sets, index_file, read_header, read_reference
from curate.stages.dedup.earlier import references as index_parts
from curate.stages.dedup.keeping import KeepingSelect
from curate.stages.dedup.pieces import Pieces, pieces, salts
from curate.stages.dedup.scaffold import learned_scaffold, sampled, scaffold_of, survey_shingles
from curate.stages.dedup.set_loop import jaccards, shingle_sets, strip_sets
from curate.stages.dedup.shingle_loop import characters
from curate.stages.dedup.sketch_loop import sketch_rows, sketch_sets

_LONGEST = 1 << 30
_WORDS = 4


class MinhashDedup(KeepingSelect):
    """Drops a row when the Jaccard similarity of its shingles to those of a row that stays reaches a threshold."""

    name: ClassVar[str] = "minhash_dedup"
    reasons: ClassVar[tuple[str, ...]] = ("near_duplicate", "near_duplicate_of_earlier_release")
    version: ClassVar[int] = 4
    surveys: ClassVar[bool] = True

    threshold: float = Field(default=0.7, ge=0.3, le=1, description="least similarity of a near-duplicate")
    on: Literal["row", "prompt", "answer", "turns"] = Field(
        default="row",
        description="what is compared: all turns, all before the last answer, the last answer, or the set of whole "
        "turns; a preference pair or judged completion goes by its prompt (its answer for `answer`), a document by its "
        "text",
    )
    same_calls: bool = Field(
        default=True, description="rows whose tool calls differ in function or arguments are not near-duplicates"
    )
    scaffold: Literal["strip", "keep"] = Field(
        default="strip",
        description="strip: leave out what rows share by construction: system messages, tool lists, and shingles in "
        "more than `scaffold_share` of a source's rows",
    )
    scaffold_share: float = Field(
        default=0.5, gt=0, le=1, description="share of a source's rows above which a shingle is scaffold"
    )
    recall: float = Field(
        default=0.99,
        gt=0.5,
        lt=1,
        description="share of pairs at threshold + 0.05 that are found; bands follow from it",
    )

    against: tuple[IndexRef, ...] = Field(
        default=(),
        description="outputs of earlier runs with `index: true`: rows that are near-duplicates of theirs are dropped",
    )
    index: bool = Field(
        default=False,
        description="write an index of the rows that stay into the output, for `against` of a later run; about 2 KB a row",
    )

    @field_validator("against")
    @classmethod
    def _name_indexes(cls, value: tuple[IndexRef, ...]) -> tuple[IndexRef, ...]:
        return tuple(index_file(path, cls.name) for path in value)

    @property
    def bands(self) -> Bands:
        """Bands and hashes in each."""
        return solve(self.threshold, self.recall)

    @property
    def keys_per_row(self) -> int:
        """One for each band."""
        return self.bands.bands

    @property
    def bit_words(self) -> int:
        """Four, of 64 one-bit MinHashes each."""
        return _WORDS

    @property
    def most_bits_apart(self) -> int:
        """What rows at the threshold may differ in."""
        return most_apart(self.threshold, 64 * _WORDS)

    @property
    def least(self) -> float:
        """The threshold."""
        return self.threshold

    def sample(self, labels: pl.DataFrame) -> NDArray[np.int64]:
        """Returns some rows of each source; none when nothing is stripped."""
        return sampled(labels if self._stripping else labels.clear())

    def survey(self, rows: ArrowRows) -> pl.DataFrame:
        """Returns how many of the sampled rows of each source hold a shingle, for frequent ones."""
        return survey_shingles(rows, self._sets, self.scaffold_share)

    def learn(self, surveys: pl.DataFrame) -> pl.DataFrame:
        """Returns the shingles of the scaffold, sorted; those of earlier releases are among them."""
        found = [learned_scaffold(surveys, self.scaffold_share)]
        for path in self.against:
            shingles = read_header(path, self._made_by)["scaffold"]
            found.append(pl.DataFrame({"shingle": shingles}, schema=found[0].schema))
        return pl.concat(found).unique().sort("shingle")

    def references(self) -> tuple[Reference, ...]:
        """Returns the parts of the indexes of earlier releases.

        Raises:
            StageError: when one can't be read or was made by other parameters.
        """
        return tuple(r for path in self.against for r in index_parts(path, read_header(path, self._made_by)))

    def sketch_reference(self, reference: Reference, learned: pl.DataFrame | None) -> tuple[Sketch, pl.Series]:
        """Returns the sketch of rows of an earlier release from their shingles, without this run's scaffold."""
        found = read_reference(reference)
        values, offsets = flat_sets(found["shingles"])
        bands, hashes = self.bands
        keys, bits = sketch_sets(
            values, offsets, np.array(found["salt"].to_numpy()), scaffold_of(learned), bands, hashes, _WORDS
        )
        rows = found.select(
            row=pl.int_range(pl.len(), dtype=pl.UInt32),
            high="high",
            low="low",
            rank=pl.lit(0, dtype=pl.Int64),
            weight=(4 * pl.col("shingles").list.len()).cast(pl.UInt32),
        )
        return Sketch(rows, keys, bits), found["id"]

    def reference_features(self, reference: Reference, at: NDArray[Any], learned: pl.DataFrame | None) -> pl.Series:
        """Returns the shingle sets of some rows of an earlier release."""
        return _lists(*strip_sets(*flat_sets(read_reference(reference)["shingles"][at]), scaffold_of(learned)))

    @property
    def indexes(self) -> bool:
        """True when an index was asked for."""
        return self.index

    def indexed(self, rows: ArrowRows, sketch: pl.DataFrame) -> pl.DataFrame:
        """Returns the digest, salt and all shingles of each row, scaffold included."""
        return sketch.select("high", "low").with_columns(
            salt=pl.Series(self._salts(rows, self._pieces(rows))), shingles=self._sets(rows, None)
        )

    def index_header(self, learned: pl.DataFrame | None) -> dict[str, Any]:
        """Returns by which parameters the shingles were made, and the scaffold."""
        assert learned is not None
        return {"made_by": self._made_by, "scaffold": learned["shingle"].to_list()}

    @property
    def _made_by(self) -> dict[str, Any]:
        """What two runs must have in common for their shingles to be comparable."""
        return {
            "stage": self.name,
            "format": FORMAT,
            "on": self.on,
            "scaffold": self.scaffold,
            "same_calls": self.same_calls,
        }

    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """Returns digests and band keys; rows with nothing to compare are left out."""
        found = self._pieces(rows)
        whole, (bands, hashes) = self.on == "turns", self.bands
        digests, keys, bits, sizes = sketch_rows(
            *found[:5], self._salts(rows, found), whole, characters(), scaffold_of(learned), bands, hashes, _WORDS
        )
        at = np.flatnonzero(sizes).astype(np.uint32)
        frame = pl.DataFrame(
            {
                "row": at,
                "high": digests[at, 0],
                "low": digests[at, 1],
                "rank": self.ranks(rows).gather(at),
                "weight": np.minimum(4 * sizes[at], _LONGEST).astype(np.uint32),
            }
        )
        return Sketch(frame, keys[at], bits[at])

    def features(self, rows: ArrowRows, sketch: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """Returns the sorted shingle set of each row (List of UInt32)."""
        return self._sets(rows, learned)

    def similarity(self, features: pl.Series, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Returns the Jaccard similarity of each pair of sets."""
        values, offsets = flat_sets(features)
        found: NDArray[np.float64] = jaccards(values, offsets, a.astype(np.int64), b.astype(np.int64), self.threshold)
        return found

    def _pieces(self, rows: ArrowRows) -> Pieces:
        return pieces(rows, self.on, self.scaffold == "keep")

    def _salts(self, rows: ArrowRows, found: Pieces) -> NDArray[np.int64]:
        return salts(rows, found.calls if self.same_calls else np.zeros_like(found.calls))

    @property
    def _stripping(self) -> bool:
        return self.scaffold == "strip" and self.on != "turns"

    def _sets(self, rows: ArrowRows, learned: pl.DataFrame | None) -> pl.Series:
        found = self._pieces(rows)
        return _lists(*shingle_sets(*found[:5], self.on == "turns", characters(), scaffold_of(learned)))


def _lists(values: NDArray[np.uint32], offsets: NDArray[np.int64]) -> pl.Series:
    """Returns a series of lists (UInt32)."""
    return series_of(pa.LargeListArray.from_arrays(arrow_numbers(offsets), arrow_numbers(values)))
