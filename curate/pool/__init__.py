"""The pool: every surviving row once, tokenized, in Arrow parts that are mapped and never loaded.

parts ─► Pool ─┬─► index (tens of bytes a row) ─► mixture ─► pack plan
               └─► gather(rows) ─► flat token buffers ─► shards
"""

from __future__ import annotations

from curate.pool.index import PoolIndex
from curate.pool.packed import PackedView
from curate.pool.parts import POOL_SCHEMA
from curate.pool.pool import Pool

__all__ = ["POOL_SCHEMA", "PackedView", "Pool", "PoolIndex"]
