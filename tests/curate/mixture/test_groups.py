"""Rows are grouped, nested, cut to quotas and ranked by what stages wrote."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from curate.errors import RecipeError
from curate.mixture import MixIndex, resolve
from tests.curate.index_maker import index_of, rows_of, sized, spec_of, with_columns


def _named(mixture: Any) -> dict[str, int]:
    return {group.name: group.rows for group in mixture.groups}


def test_groups_by_language_and_by_first_tag() -> None:
    """A row without a value belongs to a group that says so."""
    index = with_columns(sized(6), language=["zh", "en", None, "zh", "zh", "en"], primary_tag=["b"] * 2 + [None] * 4)
    assert _named(resolve(spec_of(by="language", unit="rows"), index)) == {"en": 2, "unknown": 1, "zh": 3}
    assert _named(resolve(spec_of(by="primary_tag", unit="rows", weights={"b": 1, "untagged": 0}), index)) == {
        "b": 2,
        "untagged": 0,
    }


def test_a_column_nobody_wrote_is_said() -> None:
    """The message names the key and the column."""
    with pytest.raises(RecipeError, match=r"`by: primary_tag` needs the column 'primary_tag', and no stage wrote it"):
        resolve(spec_of(by="primary_tag"), sized(3), 0)
    with pytest.raises(RecipeError, match=r"mix\.rank_by needs the column 'ifd', and no stage wrote it"):
        resolve(spec_of(rank_by="ifd"), sized(3), 0)
    with pytest.raises(RecipeError, match=r"the column 'name' holds string, not numbers"):
        resolve(spec_of(rank_by="name"), with_columns(sized(2), name=["a", "b"]))


@pytest.mark.parametrize(("first", "rows"), [("lowest", [3, 0]), ("highest", [2, 0])])
def test_a_selection_order_decides_which_rows_come(first: str, rows: list[int]) -> None:
    """The lowest or highest values are taken first, missing ones last."""
    index = with_columns(sized(4), order=[2.0, None, 3.0, 1.0])
    mixture = resolve(spec_of(unit="rows", budget=2, rank_by="order", rank_first=first), index)
    assert sorted(mixture.rows.tolist()) == sorted(rows)
    whole = resolve(spec_of(unit="rows", rank_by="order", rank_first=first), index)
    assert whole.rows.tolist()[-1] == 1


def test_equal_scores_fall_back_on_the_seeded_rank() -> None:
    """A column of one value changes nothing."""
    index = with_columns(sized(30), score=[1] * 30)
    assert resolve(spec_of(rank_by="score"), index).sha256 == resolve(spec_of(), index).sha256


def test_a_quota_cuts_each_group_to_its_first_rows() -> None:
    """What is beyond a quota takes no part, is counted as unused, and later passes repeat the quota."""
    index = sized(100, 5)
    mixture = resolve(spec_of(unit="rows", per_group_max={"rows": 10}), index, 0)
    assert rows_of(mixture) == [10, 5]
    assert [group.unused_rows for group in mixture.groups] == [90, 0]
    alone = resolve(spec_of(unit="rows", rows={"code": 10, "math": 0}), index, 0)
    assert set(alone.rows.tolist()) == {row for row in mixture.rows.tolist() if row < 100}
    twice = resolve(spec_of(unit="rows", per_group_max={"rows": 10}, epochs={"code": 2, "math": 1}), index, 0)
    assert rows_of(twice) == [20, 5]


def test_a_quota_for_each_tag_inside_abilities() -> None:
    """Quotas may count other groups than the mixture's, and other units."""
    tags = ["a"] * 8 + ["b"] * 2
    index = with_columns(index_of([0] * 10, [4] * 10), primary_tag=tags)
    mixture = resolve(spec_of(per_group_max={"rows": 3, "by": "primary_tag"}), index)
    assert sorted(tags[row] for row in mixture.rows.tolist()) == ["a"] * 3 + ["b"] * 2
    tokens = resolve(spec_of(per_group_max={"tokens": 13, "by": "primary_tag"}), index)
    assert sorted(tags[row] for row in tokens.rows.tolist()) == ["a"] * 3 + ["b"] * 2


def test_a_quota_never_cuts_domain_rows_under_a_ratio() -> None:
    """Under domain_to_general the quota is for general groups."""
    index = sized(60, 40, 10, domain=(False, False, True))
    mixture = resolve(spec_of(unit="rows", domain_to_general="1:1", per_group_max={"rows": 8}), index, 0)
    assert _named(mixture) == {"code": 5, "math": 5, "service": 10}


def test_temperature_inside_general_under_a_ratio() -> None:
    """Domain and general stand 1:3; inside general 100 and 400 rows share by their square roots."""
    index = sized(100, 400, 30, domain=(False, False, True))
    spec = spec_of(unit="rows", domain_to_general="1:3", inside={"general": {"temperature": {"T": 2}}})
    assert _named(resolve(spec, index, 0)) == {"code": 30, "math": 60, "service": 30}
    short = spec_of(unit="rows", domain_to_general="1:20", inside={"*": {"temperature": {"T": 2}}}, max_epochs=1)
    mixture = resolve(short, index, 0)
    assert _named(mixture) == {"code": 100, "math": 200, "service": 30}
    assert mixture.notes == (
        "domain_to_general reaches 1:10, not 1:20: there are 500 general rows and max_epochs is 1, where 'code' runs "
        "out first",
    )


def test_shares_inside_both_sides_of_a_weighted_pair() -> None:
    """Nested labels are paths, and each level keeps its own shares."""
    index = sized(100, 400, 30, 90, domain=(False, False, True, True))
    inner = {"by": "ability", "temperature": {"T": 2}}
    spec = spec_of(by="domain", unit="rows", budget=240, weights={"domain": 1, "general": 5}, inside={"*": inner})
    mixture = resolve(spec, index, 0)
    assert _named(mixture) == {"general/code": 67, "general/math": 133, "domain/service": 15, "domain/writing": 25}


def test_a_scarce_group_deep_inside_lowers_the_whole_total() -> None:
    """Caps are known at every level, so all shares hold."""
    index = sized(5, 400, 30, domain=(False, False, True))
    spec = spec_of(
        by="domain", unit="rows", max_epochs=1, weights={"domain": 1, "general": 1}, inside={"general": {"equal": True}}
    )
    assert _named(resolve(spec, index, 0)) == {"general/code": 5, "general/math": 5, "domain": 10}


def test_inside_a_group_that_is_not_there() -> None:
    """A name under `inside` is checked like any other."""
    with pytest.raises(RecipeError, match=r"mix\.inside: no rows have ability 'maths'; did you mean 'math'\?"):
        resolve(spec_of(inside={"maths": {"by": "source"}}), sized(3, 3), 0)


def test_only_some_rows_of_a_pool_take_part() -> None:
    """Rows outside the index, such as validation rows, are in no pass of any mixture; the stream names pool rows."""
    index = sized(20, 20)
    training = np.flatnonzero(np.arange(40) % 3 != 0)
    mixture = resolve(spec_of(unit="rows", epochs={"*": 3.5}), MixIndex(index, 0, training))
    assert set(mixture.rows.tolist()) == set(training.tolist())
    assert rows_of(mixture) == [round(13 * 3.5), round(13 * 3.5)]
