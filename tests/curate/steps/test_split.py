"""The split: whole groups, within the quota, whatever the order of the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curate.pool import PoolIndex
from curate.releasing import open_pool
from curate.steps.spec import SplitSpec
from curate.steps.split import choose_validation, run_split, training_rows, validation_rows
from curate.store import Artifact
from tests.curate.small import TOKENIZER, Small

ROW = st.tuples(st.integers(0, 8), st.integers(0, 2))
POOL = st.lists(ROW, max_size=60)


def index_of(rows: list[tuple[int, int]]) -> PoolIndex:
    """Returns the index of rows given as (group, ability)."""
    groups = np.array([[g * 7919 + 1, g] for g, _ in rows], dtype=np.uint64).reshape(-1, 2)
    ids = np.array([[i, i] for i in range(len(rows))], dtype=np.uint64).reshape(-1, 2)
    ability = np.array([a for _, a in rows], dtype=np.int16)
    ones = np.ones(len(rows), dtype=np.int32)
    return PoolIndex(
        ids=ids,
        groups=groups,
        source=np.zeros(len(rows), dtype=np.int16),
        ability=ability,
        domain=np.zeros(len(rows), dtype=bool),
        n_tokens=ones,
        n_trained=ones,
        source_names=("s",),
        ability_names=("x", "y", "z"),
    )


@given(POOL, st.integers(0, 30), st.floats(0.05, 0.9), st.integers(0, 5))
def test_groups_are_whole_and_quotas_hold(rows: list[tuple[int, int]], wanted: int, share: float, seed: int) -> None:
    """No group stands on both sides; no ability gives more than it was asked, nor than its share of rows."""
    index = index_of(rows)
    chosen, table = choose_validation(index, SplitSpec(validation=wanted, max_share=share), seed)
    held = set(chosen.tolist())
    for group in {g for g, _ in rows}:
        members = {i for i, (g, _) in enumerate(rows) if g == group}
        assert members <= held or not members & held
    for code, name in enumerate(index.ability_names):
        mine = [i for i, (_, a) in enumerate(rows) if a == code]
        assert table[name]["available"] == len(mine)
        assert table[name]["rows"] == len(held & set(mine)) <= table[name]["quota"] <= min(wanted, len(mine) * share)


@given(POOL, st.integers(0, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_count(rows: list[tuple[int, int]], seed: int, chance: object) -> None:
    """Rows in another order are split alike."""
    order = list(range(len(rows)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    spec = SplitSpec(validation=9, max_share=0.5)
    first, _ = choose_validation(index_of(rows), spec, seed)
    second, _ = choose_validation(index_of([rows[i] for i in order]), spec, seed)
    assert sorted(order[i] for i in second) == first.tolist()


def test_rows_elsewhere_move_no_choice() -> None:
    """Rows of another ability change nothing, and a larger ability keeps what was chosen while its quota is the same."""
    rows = [(i, 0) for i in range(200)]
    spec = SplitSpec(validation=20)
    before, _ = choose_validation(index_of(rows), spec, 17)
    after, _ = choose_validation(index_of([*rows, *((i, 1) for i in range(500, 700))]), spec, 17)
    assert after[: before.size].tolist() == before.tolist()
    assert before.size == 20
    other, _ = choose_validation(index_of(rows), spec, 18)
    assert other.tolist() != before.tolist()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Validation and training rows are disjoint and all."""
    index = index_of([(i, i % 3) for i in range(30)])
    artifact = Artifact(tmp_path / "split")
    list(run_split(index, artifact, b"{}", SplitSpec(validation=3, max_share=0.5), 1))
    held, left = validation_rows(artifact), training_rows(artifact, 30)
    assert held.size == 9
    assert sorted([*held, *left]) == list(range(30))


def test_children_and_copies_of_a_dialogue_stay_together(tmp_path: Path) -> None:
    """Each dialogue expanded to ten rows stands with all its rows on one side of the split."""
    turns = [[{"role": "user", "content": f"第{d}题{t}？"} for t in range(10)] for d in range(12)]
    answers = [[{"role": "assistant", "content": f"答{d}，{t}。"} for t in range(10)] for d in range(12)]
    records = [
        {"messages": [m for p in zip(q, a, strict=True) for m in p]} for q, a in zip(turns, answers, strict=True)
    ]
    small = Small(
        tmp_path,
        {"calls": records},
        tokenizer=TOKENIZER,
        stages=[{"truncate_history": {"max_source": 400, "max_target": 40, "expand": "every"}}],
        split={"validation": 30, "max_share": 0.4},
    )
    small.run()
    story = small.ledger().filter(action="born").select("id", "other_id")
    assert story.height == 120
    plan = small.plan()
    (split,) = plan.of("split")
    index = open_pool(plan.of("tokenize")[0]).index
    held = validation_rows(split.artifact)
    sides = [{g.tobytes() for g in index.groups[rows]} for rows in (held, training_rows(split.artifact, len(index)))]
    assert [len(side) for side in sides] == [3, 9]
    assert not sides[0] & sides[1]
    assert split.artifact.meta["abilities"]["calls"] == {"available": 120, "asked": 30, "quota": 30, "rows": 30}
