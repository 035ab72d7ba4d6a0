"""Select steps: rows compared across all parts, out of core, in phases that each resume.

    survey ─► sketch ─► order ─► same ─► match ─► ( pairs ─► gather ─► verify ─► choose )* ─► clusters ─► write
    by part   bundle    once     bucket  bucket     share     bundle    share     once        once        part

A stage that finds stands in for match to verify (`finding`), the one that decides starts from its pairs (`sweeping`).
Every phase is a map over parts, bundles of parts (of one, unless there are thousands), buckets of keys or shares of
pairs, whose number depends on the data alone; every task writes one file and is skipped when it is there. A row is a *node* (numbered through all parts) until the order is
known and a *place* afterwards: its rank in keep order, so that of two places the lower is the one to keep.
"""

from curate.steps.select.clusters import FILE as CLUSTERS
from curate.steps.select.clusters import read_clusters
from curate.steps.select.indexing import export_index, has_index
from curate.steps.select.run import pieces, run_select
from curate.steps.select.sweeping import SWEEP, read_sweep

__all__ = [
    "CLUSTERS",
    "SWEEP",
    "export_index",
    "has_index",
    "pieces",
    "read_clusters",
    "read_sweep",
    "run_select",
]
