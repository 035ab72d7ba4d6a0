"""Near-duplicates: MinHash finds candidates, the true Jaccard of their shingle sets decides."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from curate.stage import Sketch
from curate.stages.dedup.banding import Bands, most_apart, solve
from curate.stages.dedup.fold_loop import table
from curate.stages.dedup.keeping import KeepingSelect
from curate.stages.dedup.pieces import pieces, salts
from curate.stages.dedup.scaffold import learned_scaffold, scaffold_of, survey_shingles
from curate.stages.dedup.shingle_loop import jaccards, shingle_sets, sketch_rows

_LONGEST = 1 << 30
_WORDS = 4


class MinhashDedup(KeepingSelect):
    """Drops a row when the Jaccard similarity of its shingles to those of a row that stays reaches a threshold."""

    name: ClassVar[str] = "minhash_dedup"
    reasons: ClassVar[tuple[str, ...]] = ("near_duplicate",)
    surveys: ClassVar[bool] = True

    threshold: float = Field(default=0.7, ge=0.3, le=1, description="least similarity of a near-duplicate")
    on: Literal["row", "prompt", "answer", "turns"] = Field(
        default="row",
        description="what is compared: all turns, all before the last answer, the last answer, or the set of whole "
        "turns; a preference pair or judged completion goes by its prompt (its answer for `answer`), a document by its "
        "text",
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

    def survey(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns how many of some rows of each source hold a shingle, for frequent ones."""
        return survey_shingles(rows if self._stripping else rows.clear(), self._sets, self.scaffold_share)

    def learn(self, surveys: pl.DataFrame) -> pl.DataFrame:
        """Returns the shingles of the scaffold, sorted."""
        return learned_scaffold(surveys, self.scaffold_share)

    def sketch(self, rows: pl.DataFrame, learned: pl.DataFrame | None) -> Sketch:
        """Returns digests and band keys; rows with nothing to compare are left out."""
        found = pieces(rows, self.on, self.scaffold == "keep")
        whole, (bands, hashes) = self.on == "turns", self.bands
        digests, keys, bits, sizes = sketch_rows(
            *found, salts(rows), whole, table(), scaffold_of(learned), bands, hashes, _WORDS
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

    def features(self, rows: pl.DataFrame, sketch: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """Returns the sorted shingle set of each row (List of UInt32)."""
        return self._sets(rows, learned)

    def similarity(self, features: pl.Series, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Returns the Jaccard similarity of each pair of sets."""
        lists = features.rechunk().to_arrow()
        values, offsets = lists.values.to_numpy(), lists.offsets.to_numpy()
        found: NDArray[np.float64] = jaccards(values, offsets, a.astype(np.int64), b.astype(np.int64), self.threshold)
        return found

    @property
    def _stripping(self) -> bool:
        return self.scaffold == "strip" and self.on != "turns"

    def _sets(self, rows: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        found = pieces(rows, self.on, self.scaffold == "keep")
        values, offsets = shingle_sets(*found, self.on == "turns", table(), scaffold_of(learned))
        return pl.Series(pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)))
