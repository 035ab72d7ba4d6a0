"""The packaged table of folded characters is what its code makes."""

from __future__ import annotations

import unicodedata

import numpy as np

from curate.stages.dedup.fold_table import PLANE, computed, table


def test_the_packaged_table_is_the_computed_one() -> None:
    """For every character of the Unicode every supported Python knows; newer ones fold as the packaged table says."""
    known = np.array([unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs") for code in range(PLANE)])
    assert known.sum() > 40_000
    for packaged, made in zip(table(), computed(), strict=True):
        assert packaged.dtype == made.dtype
        assert (packaged[known] == made[known]).all()
