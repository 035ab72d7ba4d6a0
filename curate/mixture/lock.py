"""The lock of a mixture: what was asked, what it became, and the digest of the exact stream."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import orjson

from curate.mixture.resolve import Mixture
from curate.mixture.spec import MixSpec


def lock(mixture: Mixture, spec: MixSpec, pool: str, longest: int | None = None) -> dict[str, Any]:
    """Returns the content of ``mix.lock.json``: plain JSON data, equal for equal streams.

    ``pool`` is the pool's key, ``longest`` the tokens a row may have to take part. Rows the mixture leaves out are counted for each group and in total.
    """
    return {
        "version": 2,
        "spec": spec.model_dump(mode="json"),
        "seed": mixture.seed,
        "pool": pool,
        "longest": longest,
        "groups": [asdict(group) for group in mixture.groups],
        "rows": len(mixture),
        "tokens": sum(group.tokens for group in mixture.groups),
        "trained_tokens": sum(group.trained_tokens for group in mixture.groups),
        "unused_rows": sum(group.unused_rows for group in mixture.groups),
        "domain_to_general": _ratio(mixture) if any(group.domain for group in mixture.groups) else None,
        "notes": list(mixture.notes),
        "stream": {"rows": len(mixture), "sha256": mixture.sha256},
    }


def lock_hash(content: dict[str, Any]) -> str:
    """Returns the hash that manifests, training logs and checkpoints know a mixture by."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _ratio(mixture: Mixture) -> float | None:
    """General units for each domain unit reached, or None without domain rows."""
    domain = sum(group.units_got for group in mixture.groups if group.domain)
    return sum(group.units_got for group in mixture.groups if not group.domain) / domain if domain else None
