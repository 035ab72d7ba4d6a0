"""Select: stages that compare rows with each other, near and far, and drop what another row already says.

A Select is shown rows as `curate.arrow_rows.ArrowRows`, which give columns as series and messages as Arrow's, uncopied.
It proposes in four pure steps, and the runner (`curate.steps.select`) carries what lies between them:

    sketch(rows) ─► rows with one `same` value: identical, similarity 1, whatever their number
                 ─► rows with a key in common: candidates ─► features(rows) ─► similarity(pairs) ─► edges
    greedy over all edges in keep order: a row is dropped only for an edge to a row that stays

A Select may also be told in two parts (``phase``), pairs found by vectors and a decision over them.

Rows that could be alike share a key; a key says nothing more. Similarity is computed for every candidate, so a
collision of keys costs time and never a row.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from curate.arrow_rows import ArrowRows
from curate.stage.shapes import Only, Stage

Keys = NDArray[np.uint64]

INDEX_FILE = "index.json"
"""The file by which the index of a release is known, and named."""


def no_keys() -> Keys:
    """Returns keys for no rows."""
    return np.empty((0, 0), np.uint64)


@dataclass(frozen=True)
class Sketch:
    """What a Select notes of the rows it was shown; rows with nothing to compare are left out.

    ``rows`` has the columns row (UInt32, position, rising), high and low (UInt64: the 128-bit digest of all that is
    compared, so that equal digests mean similarity 1), rank (Int64, lowest is kept; ties go to the first in the
    data), weight (UInt32: about how many bytes the row's features take), and columns of the stage's own, which it
    gets back in ``features``. ``keys`` (uint64[rows, keys_per_row]): rows that share one are candidates, if of ``bits``
    (uint64[rows, bit_words]: one-bit hashes of features) no more than ``most_bits_apart`` differ.
    """

    rows: pl.DataFrame
    keys: Keys = field(default_factory=no_keys)
    bits: Keys = field(default_factory=no_keys)


@dataclass(frozen=True)
class Reference:
    """One part of the index of an earlier release: its path, how many rows it has, and the SHA-256 of its bytes."""

    path: str
    rows: int
    digest: str


class Select(Stage):
    """Compares rows with each other; what it finds alike is decided over the whole data set, in keep order.

    The first reason is that of a row dropped for a row of this run, the second, if there is one, for a row of an
    earlier release.
    """

    surveys: ClassVar[bool] = False
    """True when the stage looks at some rows before it sketches: of every part, or of a source in many parts of some."""

    phase: ClassVar[Literal["whole", "find", "decide"]] = "whole"
    """What of a Select the stage is. In a composite one that finds may stand before one that decides: the first drops
    nothing and leaves the pairs of rows at least ``least`` alike, the second decides by them and by its own
    ``least``, so that moving a threshold compares nothing again. Both name the same rows in the same keep order.
    A sketch of one that finds has two more columns, vector (Binary, int8 numbers) and salt (Int64): pairs are those
    with one salt and a cosine of ``least`` or more."""

    protect: Only | None = Field(default=None, description="rows that are seen but never dropped")

    @property
    def keys_per_row(self) -> int:
        """How many keys ``sketch`` gives each row; none: only identical rows are alike."""
        return 0

    @property
    def bit_words(self) -> int:
        """How many words of bits ``sketch`` gives each row; none: every pair that shares a key is a candidate."""
        return 0

    @property
    def most_bits_apart(self) -> int:
        """In how many bits rows may differ and still be worth comparing."""
        return 0

    @property
    def least(self) -> float:
        """The least similarity of an edge."""
        return 1.0

    def sample(self, labels: pl.DataFrame) -> NDArray[np.int64]:
        """Returns which rows of one part the survey looks at, rising, by their columns but those of messages; by default all."""
        return np.arange(labels.height)

    def survey(self, rows: ArrowRows) -> pl.DataFrame:
        """Returns what is to be learned from the sampled rows of one part: a small frame, of bounded size."""
        raise NotImplementedError

    def learn(self, surveys: pl.DataFrame) -> pl.DataFrame:
        """Returns what the surveys of the parts (one below the other, in order) say, for ``sketch`` and ``features``."""
        raise NotImplementedError

    def references(self) -> tuple[Reference, ...]:
        """Returns the parts of earlier releases whose rows are already had, and stay."""
        return ()

    def sketch_reference(self, reference: Reference, learned: pl.DataFrame | None) -> tuple[Sketch, pl.Series]:
        """Returns the sketch of a part of an earlier release, made as ``sketch`` would, and the rows' ids."""
        raise NotImplementedError

    def reference_features(self, reference: Reference, at: NDArray[Any], learned: pl.DataFrame | None) -> pl.Series:
        """Returns the features of some rows of a part of an earlier release."""
        raise NotImplementedError

    @property
    def indexes(self) -> bool:
        """True when the run leaves an index of its rows, for ``references`` of a later one."""
        return False

    def indexed(self, rows: ArrowRows, sketch: pl.DataFrame) -> pl.DataFrame:
        """Returns what a later run needs to know of each of the rows."""
        raise NotImplementedError

    def index_header(self, learned: pl.DataFrame | None) -> dict[str, Any]:
        """Returns what an index says of how it was made."""
        raise NotImplementedError

    @abstractmethod
    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """Returns the sketch of the rows of a part."""

    def features(self, rows: ArrowRows, sketch: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """Returns what similarity is computed from, a list or array for each of the rows, given with their sketch.

        Called for candidates only.
        """
        raise NotImplementedError

    def similarity(self, features: pl.Series, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Returns the similarity of each pair of rows, given as places in ``features``; the same at any batch size."""
        raise NotImplementedError
