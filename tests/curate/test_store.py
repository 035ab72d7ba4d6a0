"""The store: complete or not, damaged and told, listed and cleaned; and rows seen through what steps changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.errors import StoreError
from curate.listing import store_lines
from curate.rows import empty_rows
from curate.store import Artifact, BasePart, RowsView, Store, apply_delta, read_frame, write_frame
from curate.store.gc import collect
from curate.store.lock import locked
from tests.curate.row_maker import rows_of
from tests.curate.small import TOKENIZER, Small, chat

KEY = "0123456789abcdef"


def finished(store: Store, folder: str, days: float = 0, size: int = 100) -> Artifact:
    """Makes a finished artifact that was last used some days ago."""
    artifact = store.artifact(folder)
    artifact.folder.mkdir(parents=True)
    (artifact.folder / "data").write_bytes(b"x" * size)
    artifact.finish(b"{}", {"parts": 1})
    then = time.time() - days * 86_400
    os.utime(artifact.folder / "step.json", (then, then))
    return artifact


def test_present_means_complete(tmp_path: Path) -> None:
    """An artifact is complete when its step.json is there, which holds its identity and what it wrote down."""
    artifact = Store(tmp_path).artifact(f"a-{KEY}")
    write_frame(artifact.part(0), pl.DataFrame({"x": [1]}))
    assert not artifact.complete
    artifact.finish(b'{"does":1}', {"parts": 3})
    assert artifact.complete
    assert artifact.meta == {"identity": {"does": 1}, "parts": 3}
    assert artifact.part(7, "ledger").relative_to(artifact.folder).as_posix() == "ledger/part-00007.arrow"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"a-\w+/step\.json can't be read \(.+\); delete its folder and run again"),
        ('{"parts": 1', r"step\.json can't be read"),
        ("[]", r"step\.json holds no account of a step"),
    ],
)
def test_a_damaged_account_is_told(tmp_path: Path, text: str, told: str) -> None:
    """What can't be read names the file and what to do."""
    artifact = finished(Store(tmp_path), f"a-{KEY}")
    (artifact.folder / "step.json").write_text(text)
    with pytest.raises(StoreError, match=told):
        _ = artifact.meta


def test_artifacts_of_one_name_newest_first(tmp_path: Path) -> None:
    """Of two finished steps of one name the latest used comes first; begun ones and longer names are left out."""
    store = Store(tmp_path)
    old = finished(store, f"length-{KEY}", days=2)
    new = finished(store, f"length-{KEY[::-1]}", days=1)
    finished(store, f"length-2-{KEY}")
    store.artifact(f"length-{'a' * 16}").folder.mkdir()
    assert store.named("length") == [new, old]
    old.touch()
    assert store.named("length") == [old, new]
    assert Store(tmp_path / "none").artifacts() == []


def test_foreign_folders_are_not_the_store_s(tmp_path: Path) -> None:
    """Cleaning the wrong folder takes nothing that is not named like a step."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "photos-2024").mkdir()
    (tmp_path / "digests.json").write_text("{}")
    assert list(collect(Store(tmp_path), keep=None, days=0, dry_run=False)) == []
    assert (tmp_path / "thesis").is_dir()
    assert (tmp_path / "photos-2024").is_dir()


def test_gc_removes_by_age_and_by_need(tmp_path: Path) -> None:
    """--days removes what was not used for so long, --keep what no recipe needs, both what is in neither."""

    def left(keep: set[str] | None, days: int | None, *, dry_run: bool = False) -> list[str]:
        folder = tmp_path / f"{keep and sorted(keep)}{days}{dry_run}"
        store = Store(folder)
        for name, age in (("new", 0), ("old", 10), ("oldest", 20)):
            finished(store, f"{name}-{KEY}", days=age)
        store.artifact(f"begun-{KEY}").folder.mkdir()
        gone = dict(collect(store, keep=keep, days=days, dry_run=dry_run))
        assert all(size > 100 for name, size in gone.items() if not name.startswith("begun"))
        return [a.folder.name.removesuffix(f"-{KEY}") for a in store.artifacts()]

    assert left(None, 5) == ["begun", "new"]
    assert left(None, 15) == ["begun", "new", "old"]
    assert left({f"old-{KEY}"}, None) == ["old"]
    assert left({f"oldest-{KEY}"}, 5) == ["begun", "new", "oldest"]
    assert left(None, 0) == []
    assert left(None, 0, dry_run=True) == ["begun", "new", "old", "oldest"]


def test_the_listing_says_what_is_there(tmp_path: Path) -> None:
    """One line for each step: size, finished or begun, when used; then the total."""
    store = Store(tmp_path)
    finished(store, f"a-{KEY}", days=1, size=2_000_000)
    store.artifact(f"b-{KEY}").folder.mkdir()
    first, second, total = store_lines(store)
    assert "2.0 MB" in first
    assert "complete" in first
    assert "used 24.0 h ago" in first
    assert "begun" in second
    assert total == f"2.0 MB in {tmp_path}"


def test_a_frame_comes_back(tmp_path: Path) -> None:
    """Rows of every type are the same after a write and a read, empty ones too."""
    for rows in (empty_rows(), rows_of({"messages": [("u", "问"), ("a", None)]}, {"kind": "text", "text": "x"})):
        write_frame(tmp_path / "f.arrow", rows)
        assert_frame_equal(read_frame(tmp_path / "f.arrow"), rows)


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "text", "no footer"])
def test_a_damaged_frame_is_told(tmp_path: Path, damage: str) -> None:
    """A part that is missing, empty, cut short or something else raises StoreError with its path."""
    path = tmp_path / "part-00000.arrow"
    write_frame(path, rows_of(*({"messages": [("u", "q" * 100), ("a", "r")]} for _ in range(50))))
    whole = path.read_bytes()
    left = {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello " * 500, "no footer": whole[:-6]}
    path.unlink() if damage == "missing" else path.write_bytes(left[damage])
    with pytest.raises(
        StoreError, match=r"part-00000\.arrow: this part of the store can't be read \(.*; delete its folder"
    ):
        read_frame(path)


@pytest.mark.parametrize("kind", ["ingest", "rows", "tokenize"])
def test_a_run_over_a_damaged_store_names_the_file(tmp_path: Path, kind: str) -> None:
    """When a finished part is cut short, the next step that reads it says which file; removing its folder mends it."""
    small = Small(
        tmp_path, {"a": [chat(f"q {i}", f"r {i}") for i in range(20)]}, tokenizer=TOKENIZER, stages=["normalize"]
    )
    small.run()
    (planned,) = small.plan().of(kind)  # type: ignore[arg-type]
    name = {"ingest": "part-00000-00000.arrow", "rows": "ledger/part-00000.arrow", "tokenize": "part-00000.arrow"}[kind]
    part = planned.artifact.folder / name
    part.write_bytes(part.read_bytes()[:-40])
    small.recipe |= {"split": {"validation": 1}} if kind == "tokenize" else {"stages": ["normalize", "validate_chat"]}
    with pytest.raises(StoreError, match=f"{planned.step.folder}/{name}"):
        small.run()
    Store(tmp_path / "store").remove(planned.artifact)
    small.run()


def test_a_damaged_count_names_the_file(tmp_path: Path) -> None:
    """A part's account that is no JSON is told by its path."""
    small = Small(tmp_path, {"a": [chat("q", "r")]}, stages=["normalize"])
    small.run()
    (planned,) = small.plan().of("rows")
    (planned.artifact.folder / "step.json").unlink()
    counts = planned.artifact.folder / "counts" / "part-00000.json"
    assert orjson.loads(counts.read_bytes())["counts"]["rows_in"] == 1
    counts.write_text("")
    with pytest.raises(StoreError, match=r"counts/part-00000\.json can't be read"):
        small.run()


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """A second run over a store that is in use is refused; afterwards it goes."""
    small = Small(tmp_path, {"a": [chat("q", "r")]})
    with locked(tmp_path / "store"), pytest.raises(StoreError, match="store: another run is using this store; wait"):
        small.run()
    small.run()


def test_a_delta_is_applied_by_position() -> None:
    """Dropped rows go, replaced ones stand where they stood, children where their parent was; columns join."""
    rows = rows_of(*({"kind": "text", "text": t} for t in "abcd"))
    ledger = pl.DataFrame({"row": [0, 2], "action": ["drop", "expand"]}, schema_overrides={"row": pl.UInt32})
    patch = (
        rows[[2, 2, 3]]
        .with_columns(text=pl.Series(["c1", "c2", "D"]))
        .insert_column(0, pl.Series("row", [2, 2, 3], dtype=pl.UInt32))
    )
    patch = patch.with_columns(score=pl.lit(9))
    after = apply_delta(rows, ledger, patch, pl.DataFrame({"score": [1, 2, 3, 4]}, schema={"score": pl.Int32}))
    assert after["text"].to_list() == ["b", "c1", "c2", "D"]
    assert after["score"].to_list() == [2, 9, 9, 9]


def test_rows_at_some_positions_are_those_rows(tmp_path: Path) -> None:
    """Read alone they are what they are among all others, renumbered repeats and rows after an edit among them."""
    rows = rows_of(*({"messages": [("u", f"text {i // 2}")]} for i in range(40)))
    write_frame(tmp_path / "part.arrow", rows)
    again = pl.DataFrame(
        {"row": range(1, 40, 2), "id": [f"again {i}" for i in range(20)]}, schema_overrides={"row": pl.UInt32}
    )
    write_frame(tmp_path / "repeats" / "part.arrow", again)
    view = RowsView((BasePart(tmp_path, "part"),))
    for at in ([], [0], [3, 4, 17, 38, 39], list(range(40))):
        places = np.array(at, np.int64)
        assert view.arrow_at(0, places).frame().equals(view.read(0)[places])
    dropped = pl.DataFrame({"row": [0, 3]}, schema={"row": pl.UInt32}).with_columns(action=pl.lit("drop"))
    write_frame(tmp_path / "delta" / "ledger" / "part-00000.arrow", dropped)
    places = np.array([0, 5, 37])
    assert (
        view.through(tmp_path / "delta").arrow_at(0, places)["id"].to_list() == view.read(0)["id"][[1, 7, 39]].to_list()
    )


def test_rows_over_stored_turns_are_the_rows_read(tmp_path: Path) -> None:
    """After a drop, a new column, a changed group and an edit, in any order."""
    rows = rows_of(*({"messages": [("u", f"text {i}")]} for i in range(8)))
    write_frame(tmp_path / "part.arrow", rows)
    view = RowsView((BasePart(tmp_path, "part"),))
    dropped = pl.DataFrame({"row": [2, 5]}, schema={"row": pl.UInt32}).with_columns(action=pl.lit("drop"))
    write_frame(tmp_path / "drop" / "ledger" / "part-00000.arrow", dropped)
    for name, columns in (
        ("score", pl.DataFrame({"score": np.arange(6.0)})),
        ("group", pl.DataFrame({"group": [f"group {i}" for i in range(6)]})),
    ):
        write_frame(tmp_path / name / "ledger" / "part-00000.arrow", dropped.clear())
        write_frame(tmp_path / name / "columns" / "part-00000.arrow", columns)
    write_frame(tmp_path / "edit" / "ledger" / "part-00000.arrow", dropped.clear())
    for name in ("drop", "score", "drop", "edit"):
        view = view.through(tmp_path / ("group" if name == "edit" else name))
        assert view.arrow(0).frame().equals(view.read(0))
        assert view.arrow(0).names == tuple(view.read(0).columns)
        if name == "score":
            write_frame(tmp_path / "group" / "columns" / "part-00000.arrow", pl.DataFrame({"group": list("abcd")}))
    patch = view.read(0)[[1]].select(pl.lit(1, dtype=pl.UInt32).alias("row"), pl.all())
    write_frame(tmp_path / "edit" / "part-00000.arrow", patch)
    view = view.through(tmp_path / "edit")
    assert view.arrow(0).frame().equals(view.read(0))
