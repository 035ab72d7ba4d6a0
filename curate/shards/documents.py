"""What the shard writer asks of the place where tokens live."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

IGNORED = -100
"""The label of a token that is not trained."""


class Documents(NamedTuple):
    """Some documents laid end to end; document ``d`` is ``input_ids[offsets[d]:offsets[d + 1]]``."""

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    offsets: NDArray[np.int64]
    ids: NDArray[np.uint64]
    """Row ids, uint64[n, 2], the high half first."""
    source_ids: NDArray[np.int16]


class DocumentSource(Protocol):
    """Tokenized rows that can be copied out in any order; a pool is one."""

    @property
    def n_tokens(self) -> NDArray[np.int32]:
        """Tokens of each row."""

    @property
    def n_trained(self) -> NDArray[np.int32]:
        """Trained tokens of each row."""

    def gather(self, rows: NDArray[np.int64]) -> Documents:
        """Copies the tokens of ``rows``, in that order, into new flat buffers."""
