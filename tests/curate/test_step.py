"""Steps: what is part of a key, and what a changed key is said to come from."""

from __future__ import annotations

from curate.step import make_step, why_changed


def test_a_key_covers_name_work_and_inputs() -> None:
    """Each of them changes the key; the order of parameters does not."""
    before = make_step("a", {"x": 1})
    base = make_step("b", {"p": 1, "q": 2}, (before,))
    assert base.key == make_step("b", {"q": 2, "p": 1}, (before,)).key
    others = [
        make_step("c", {"p": 1, "q": 2}, (before,)),
        make_step("b", {"p": 1, "q": 3}, (before,)),
        make_step("b", {"p": 1, "q": 2}, (make_step("a", {"x": 2}),)),
        make_step("b", {"p": 1, "q": 2}),
    ]
    assert len({base.key, *(o.key for o in others)}) == 5
    assert base.folder == f"b-{base.key}"
    assert len(base.key) == 16


def test_a_changed_parameter_is_named() -> None:
    """The path of each value that differs is told with the old and the new one, long values cut."""
    old = make_step("s", {"parameters": {"a": 1, "b": ["x"]}, "code": None})
    new = make_step("s", {"parameters": {"a": 2, "b": ["x"], "c": "y" * 99}, "code": None})
    told = why_changed(old.identity, new.identity)
    assert told == f'parameters.a: 1 → 2; parameters.c: null → "{"y" * 56}…'


def test_a_changed_added_or_removed_input_is_named() -> None:
    """When a step does the same, what it reads is named, also an input that is gone."""
    a, b, a2 = make_step("a", 1), make_step("b", 1), make_step("a", 2)
    both = make_step("s", {}, (a, b))
    assert why_changed(both.identity, make_step("s", {}, (a2, b)).identity) == "its input changed: a"
    assert why_changed(both.identity, make_step("s", {}, (a,)).identity) == "its input changed: b"
    assert why_changed(make_step("s", {}, (a,)).identity, both.identity) == "its input changed: b"
