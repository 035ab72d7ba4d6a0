"""Export: where an output may be put, and how its folders are named."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from curate.steps.export import folder_names
from tests.curate.small import TOKENIZER, Small, chat


@given(st.lists(st.text("ab/_. -2é", min_size=1, max_size=4), unique=True, max_size=8))
def test_every_ability_has_a_folder_of_its_own(abilities: list[str]) -> None:
    """No two abilities share a folder, none leaves the output, and plain names stay as they are."""
    names = folder_names(abilities)
    assert len(set(names.values())) == len(abilities)
    assert all("/" not in name and not name.startswith(".") for name in names.values())
    assert folder_names(["客服", "math-2"]) == {"客服": "客服", "math-2": "math-2"}


def test_abilities_that_look_alike_keep_their_rows(tmp_path: Path) -> None:
    """`a/b` and `a b` both have their validation rows."""
    records = {name: [chat(f"{name} {i}?", f"{i}!") for i in range(10)] for name in ("one", "two")}
    small = Small(tmp_path, records, tokenizer=TOKENIZER, split={"validation": 2})
    for source, ability in zip(small.recipe["sources"], ("a/b", "a b"), strict=True):
        source["ability"] = ability
    small.run()
    assert sorted(p.name for p in (small.out / "validation").iterdir()) == ["a_b", "a_b-2"]
