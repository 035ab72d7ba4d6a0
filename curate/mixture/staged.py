"""A staged order: parts of a mixture one after the other, each mixed in itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError, did_you_mean
from curate.mixture.index import Group, MixIndex
from curate.mixture.order import mixed
from curate.mixture.places import Places
from curate.mixture.rules import CurriculumStage
from curate.mixture.spec import MixSpec

_NONE = -1


def staged(
    spec: MixSpec, index: MixIndex, groups: Sequence[Group], flat: Places, units: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Returns the order of places stage by stage; inside a stage every prefix has the shares of the stage.

    Raises:
        RecipeError: for a stage that names no group, or rows no stage takes.
    """
    stage_of = np.full(flat.rows.size, _NONE, dtype=np.int64)
    for number, stage in enumerate(spec.curriculum):
        wanted = _matches(stage, number, index, groups, flat) & (stage_of == _NONE)
        stage_of[_share(wanted, flat.group_of, len(groups), stage.share)] = number
    if (stage_of == _NONE).any():
        group = groups[int(flat.group_of[np.argmax(stage_of == _NONE)])]
        raise RecipeError(
            f"mix.curriculum: {int((stage_of == _NONE).sum()):,} rows, the first of {group.label!r}, are in no stage; "
            "end the list with `{}`, which takes any"
        )
    parts = []
    for number in range(len(spec.curriculum)):
        mine = np.flatnonzero(stage_of == number)
        parts.append(mine[mixed(flat.group_of[mine], len(groups), None if units is None else units[mine])])
    return np.concatenate(parts)


def _matches(
    stage: CurriculumStage, number: int, index: MixIndex, groups: Sequence[Group], flat: Places
) -> NDArray[np.bool_]:
    found = np.ones(flat.rows.size, dtype=np.bool_)
    if stage.groups:
        named = np.zeros(len(groups), dtype=np.bool_)
        for name in stage.groups:
            mine = [group.label == name or group.label.startswith((f"{name}/", f"{name} (")) for group in groups]
            if not any(mine):
                known = did_you_mean(name, [group.label for group in groups])
                raise RecipeError(f"mix.curriculum.{number}: no group is named {name!r}{known}")
            named |= np.array(mine)
        found &= named[flat.group_of]
    if stage.domain is not None:
        found &= index.domain[flat.rows] == stage.domain
    if stage.max_tokens is not None:
        found &= index.n_tokens[flat.rows] <= stage.max_tokens
    return found


def _share(wanted: NDArray[np.bool_], group_of: NDArray[np.int32], groups: int, share: float) -> NDArray[np.bool_]:
    """Returns the first ``share`` of the wanted places of each group."""
    if share == 1:
        return wanted
    counts = np.bincount(group_of[wanted], minlength=groups)
    before = np.concatenate([[0], np.cumsum(counts)[:-1]])
    nth = np.cumsum(wanted) - before[group_of]
    return wanted & (nth <= np.rint(share * counts).astype(np.int64)[group_of])
