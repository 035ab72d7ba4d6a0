"""The packaged static model: a vector for each English word piece, hashed ones for what it does not know.

Word pieces have the mean token vector that all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Apache-2.0) gives them alone,
reduced by PCA and weighted by how rare they are, as Model2Vec does (Tulkens and van Dongen 2024); `benchmarks/distil_static.py` makes
the table. A text is the sum over its words. Characters of Chinese, Japanese, Korean and other scripts of three bytes, alone and
in pairs, and words with unknown pieces get vectors of signs from their hash, so such text is compared by its wording. All sums are of
whole numbers: the same on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.arrow import texts_of

TABLE = Path(__file__).parent / "static_en.npz"
HASHED = 60_000
"""The size of the numbers of a hashed vector: its length is that of a rare word's."""
_ACCENTED = r"[\u00C0-\u024F\u1E00-\u1EFF]"


@dataclass(frozen=True, eq=False)
class _Table:
    slots: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    vectors: NDArray[np.int8]
    scales: NDArray[np.uint16]


def folded(texts: pl.Series) -> pl.Series:
    """Returns the texts in lower case, width folded, without the accents of Latin letters."""
    plain = texts.str.normalize("NFKC")
    accented = plain.str.contains(_ACCENTED)
    if accented.any():
        bare = plain.filter(accented).str.normalize("NFKD").str.replace_all(r"\p{Mn}", "").str.normalize("NFKC")
        plain = plain.scatter(accented.arg_true(), bare)
    return plain.str.to_lowercase()


def static_embeddings(texts: pl.Series) -> NDArray[np.int64]:
    """Returns the embedding of each text (int64[texts, size]), zeros for a text without letters and digits."""
    table = _table()
    data, offsets = texts_of(folded(texts))
    found: NDArray[np.int64] = _loop().sums(
        data, offsets, table.slots, table.hashes, table.vectors, table.scales, HASHED
    )
    return found


@cache
def _loop() -> Any:
    return import_module("curate.embedding.static_loop")


@cache
def _table() -> _Table:
    with np.load(TABLE) as file:
        pieces, vectors, scales = bytes(file["pieces"]).split(b"\n"), file["vectors"], file["scales"]
    hashes = np.array([_hash(piece) for piece in pieces], np.uint64)
    slots = _loop().slots_of(hashes, 1 << (2 * len(pieces)).bit_length())
    return _Table(slots, hashes, vectors, scales)


def _hash(piece: bytes) -> int:
    inside = piece.startswith(b"##")
    data = np.frombuffer(piece[2:] if inside else piece, np.uint8)
    return int(_loop().hash_bytes(data, 0, data.size, inside))
