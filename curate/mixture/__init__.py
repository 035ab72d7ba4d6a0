"""The mixture: how much of each group is trained, and in which order, as an index over the pool.

MixSpec + MixIndex ─► tree of groups ─► amounts ─► ranked prefixes ─► order ─► Mixture(rows, passes) ─► mix.lock.json
"""

from __future__ import annotations

from curate.mixture.index import MixIndex, RowIndex
from curate.mixture.lock import lock
from curate.mixture.resolve import GroupAmount, Mixture, resolve
from curate.mixture.spec import MixSpec

__all__ = ["GroupAmount", "MixIndex", "MixSpec", "Mixture", "RowIndex", "lock", "resolve"]
