"""The mixture: how much of each group is trained, and in which order, as an index over the pool.

MixSpec + light columns ─► amounts ─► ranked prefixes ─► on-mix order ─► Mixture(rows, passes) ─► mix.lock.json
"""

from __future__ import annotations

from curate.mixture.lock import lock
from curate.mixture.resolve import GroupAmount, Mixture, resolve
from curate.mixture.rows import RowIndex
from curate.mixture.spec import MixSpec

__all__ = ["GroupAmount", "MixSpec", "Mixture", "RowIndex", "lock", "resolve"]
