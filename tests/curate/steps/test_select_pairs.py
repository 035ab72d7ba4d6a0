"""Select steps with keys: the greedy choice against an oracle, groups across parts, crowds told, phases that resume."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from curate.arrow_rows import ArrowRows
from curate.executors.serial import SerialExecutor
from curate.rows import row_hash
from curate.stage import Only, Select, Sketch
from curate.steps.select import job, matching, pieces, run_select
from curate.store import Artifact, BasePart, RowsView, read_frame, write_frame
from tests.curate.row_maker import rows_of
from tests.curate.small import Small, chat

LEAST = 0.5


class Letters(Select):
    """Rows are alike when half of their letters are; letters are keys."""

    name: ClassVar[str] = "letters"
    reasons: ClassVar[tuple[str, ...]] = ("alike",)
    surveys: ClassVar[bool] = True
    backwards: bool = False
    ignore: float = 100

    @property
    def keys_per_row(self) -> int:
        """Five letters."""
        return 5

    @property
    def least(self) -> float:
        """Half of them."""
        return LEAST

    def survey(self, rows: ArrowRows) -> pl.DataFrame:
        """Counts rows by letter."""
        letters = rows.labels.select(pl.col("text").str.split("").list.unique().alias("letter")).explode("letter")
        return letters.group_by("letter").len().sort("letter").with_columns(rows=pl.lit(len(rows)))

    def learn(self, surveys: pl.DataFrame) -> pl.DataFrame:
        """Returns the letters in more than a share of all rows."""
        counted = surveys.group_by("letter").agg(pl.col("len").sum()).sort("letter")
        return counted.filter(pl.col("len") > self.ignore * 8).select("letter")

    def _sets(self, rows: ArrowRows, learned: pl.DataFrame) -> list[list[int]]:
        gone = set(learned["letter"])
        return [sorted({ord(c) for c in text if c not in gone}) for text in rows["text"]]

    def sketch(self, rows: ArrowRows, learned: pl.DataFrame | None) -> Sketch:
        """A key for each of the first five letters."""
        assert learned is not None
        sets = self._sets(rows, learned)
        keys = np.array([((found or [0]) * 5)[:5] for found in sets], np.uint64).reshape(-1, 5)
        digests = [int(row_hash("".join(map(chr, found)))[:16], 16) for found in sets]
        frame = pl.DataFrame({"row": range(len(rows)), "high": digests}, schema={"row": pl.UInt32, "high": pl.UInt64})
        rank = -pl.col("row").cast(pl.Int64) if self.backwards else pl.lit(0, dtype=pl.Int64)
        weight = pl.lit(4, dtype=pl.UInt32)
        return Sketch(frame.with_columns(low="high", rank=rank, weight=weight), keys)

    def features(self, rows: ArrowRows, sketch: pl.DataFrame, learned: pl.DataFrame | None) -> pl.Series:
        """The letters."""
        assert learned is not None
        return pl.Series(self._sets(rows, learned), dtype=pl.List(pl.UInt32))

    def similarity(self, features: pl.Series, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
        """Jaccard of the letters."""
        sets = [set(found) for found in features]
        return np.array([_jaccard(sets[i], sets[j]) for i, j in zip(a, b, strict=True)], np.float64)


def _jaccard(one: set[Any], other: set[Any]) -> float:
    return len(one & other) / max(1, len(one | other))


def view_of(folder: Path, parts: Sequence[Sequence[str]]) -> tuple[RowsView, list[str]]:
    """Returns a view of documents with these texts, sources alternating."""
    made, ids = [], []
    for number, texts in enumerate(parts):
        rows = rows_of(*({"kind": "text", "text": text, "source": "xy"[i % 2]} for i, text in enumerate(texts)))
        names = [f"{number:016x}{i:016x}" for i in range(len(rows))]
        write_frame(folder / f"part-{number}.arrow", rows.with_columns(id=pl.Series(names, dtype=pl.String)))
        made.append(BasePart(folder, f"part-{number}"))
        ids += names
    return RowsView(tuple(made)), ids


def run(stage: Select, view: RowsView, rows: int, folder: Path, executor: Any = None) -> pl.DataFrame:
    """Runs the stage and returns its ledger."""
    artifact = Artifact(folder)
    list(run_select(stage, view, rows, artifact, b"{}", executor or SerialExecutor()))
    return pl.concat([read_frame(artifact.part(i, "ledger")) for i in range(len(view))])


def oracle(texts: list[str], protected: set[int]) -> dict[int, tuple[int, float]]:
    """Returns row -> (row kept instead, similarity) of the greedy choice over all pairs, most similar first.

    A row identical to one that is gone goes for the same row.
    """
    order = sorted(range(len(texts)), key=lambda i: (i not in protected, i))
    kept: list[int] = []
    gone: dict[int, tuple[int, float]] = {}
    for row in order:
        alike = [(_jaccard(set(texts[row]), set(texts[k])), -at, k) for at, k in enumerate(kept)]
        best = max((a for a in alike if a[0] >= LEAST), default=None)
        same = next((g for g in gone if set(texts[g]) == set(texts[row])), None)
        if same is not None and row not in protected:
            gone[row] = gone[same]
        elif best and row not in protected:
            gone[row] = (best[2], best[0])
        else:
            kept.append(row)
    return gone


TEXTS = st.lists(st.text("abcde", min_size=1, max_size=5), min_size=1, max_size=16)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.integers(0, 16), st.booleans())
def test_the_choice_is_the_greedy_one(tmp_path_factory: Any, texts: list[str], cut: int, shielded: bool) -> None:
    """Over random rows in two parts: the rows dropped, those kept instead and the similarities are the oracle's."""
    folder = tmp_path_factory.mktemp("greedy")
    view, ids = view_of(folder, [texts[:cut], texts[cut:]])
    cuts = [i for part in (texts[:cut], texts[cut:]) for i in range(len(part))]
    protected = {at for at, i in enumerate(cuts) if shielded and i % 2}
    stage = Letters(protect=Only(source=("y",)) if shielded else None)
    ledger = run(stage, view, len(texts), folder / "out")
    place = {name: i for i, name in enumerate(ids)}
    found = {place[a]: (place[b], s) for a, b, s in ledger.select("id", "other_id", "score").iter_rows()}
    wanted = oracle(texts, protected)
    assert found.keys() == wanted.keys()
    for row, (other, score) in found.items():
        assert score == pytest.approx(wanted[row][1])
        assert set(texts[other]) == set(texts[wanted[row][0]])


def test_keep_order_is_the_stages(tmp_path: Path) -> None:
    """A rank turns the order around, within ties of parts."""
    view, ids = view_of(tmp_path, [["abcd", "abc", "x"], ["abcde"]])
    first = run(Letters(), view, 4, tmp_path / "first")
    assert set(first["other_id"]) == {ids[0]}
    last = run(Letters(backwards=True), view, 4, tmp_path / "last")
    assert dict(last.select("id", "other_id").iter_rows()) == {ids[0]: ids[1], ids[3]: ids[1]}


def test_what_was_learned_reaches_sketch_and_features(tmp_path: Path) -> None:
    """Letters that are in most rows of all parts are not compared."""
    view, _ = view_of(tmp_path, [["zqab", "zqcd", "zqef"], ["zqgh", "zqij"], ["zqkl", "zqmn", "zqop"]])
    assert run(Letters(ignore=0.5), view, 8, tmp_path / "out").is_empty()


def test_chains_share_a_group_and_are_not_collapsed(tmp_path: Path) -> None:
    """A row alike to two that stay is dropped for one, and both get one group, whatever part they are in."""
    view, ids = view_of(tmp_path, [["abcd", "x"], ["y", "efgh"], ["abcdefgh", "abcd", "z"]])
    ledger = run(Letters(), view, 7, tmp_path / "out")
    assert set(ledger["id"]) == {ids[4], ids[5]}
    after = view.through(tmp_path / "out")
    groups = {name: group for i in range(3) for name, group in after.read(i).select("id", "group").iter_rows()}
    assert groups[ids[0]] == groups[ids[3]] == ids[0]
    assert {name: group for name, group in groups.items() if name not in (ids[0], ids[3])} == {
        ids[i]: ids[i] for i in (1, 2, 6)
    }
    assert not (tmp_path / "out" / "columns" / "part-00002.arrow").exists()


def test_siblings_follow_their_group(tmp_path: Path) -> None:
    """Rows that share a group with a dropped row join the group of the row kept instead."""
    view, ids = view_of(tmp_path / "in", [["abcd", "x"], ["abc", "mn"]])
    sibling = pl.DataFrame({"group": [ids[2], ids[2]]})
    write_frame(tmp_path / "expand" / "columns" / "part-00001.arrow", sibling)
    for part in range(2):
        write_frame(tmp_path / "expand" / "ledger" / f"part-{part:05d}.arrow", _no_lines())
    view = view.through(tmp_path / "expand")
    ledger = run(Letters(), view, 4, tmp_path / "out")
    assert ledger["id"].to_list() == [ids[2]]
    after = view.through(tmp_path / "out").read(1)
    assert after.select("id", "group").rows() == [(ids[3], ids[0])]


def _no_lines() -> pl.DataFrame:
    from curate.ledger import empty

    return empty()


def test_crowds_are_bounded_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many rows with one key each is compared with the first ones only, and the step says how many pairs it left."""
    monkeypatch.setattr(matching, "LEADERS", 2)
    texts = [f"a{chr(200 + 3 * i)}{chr(201 + 3 * i)}{chr(202 + 3 * i)}" for i in range(30)]
    view, _ = view_of(tmp_path, [texts[:10], texts[10:]])
    assert run(Letters(), view, 30, tmp_path / "out").is_empty()
    told = Artifact(tmp_path / "out").meta["select"]
    assert told["compared"] == 1 + 2 * 28
    assert told["not_compared"] == 30 * 29 // 2 - told["compared"]
    assert (told["crowds"], told["largest_crowd"]) == (1, 30)


def test_neighbours_of_a_dropped_row_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a crowd two rows met only the row that is dropped: they are compared in a further round."""
    monkeypatch.setattr(matching, "LEADERS", 1)
    texts = ["abcde", "bcdef", "defx", "defy"]
    view, ids = view_of(tmp_path, [texts])
    ledger = run(Letters(), view, 4, tmp_path / "out")
    assert dict(ledger.select("id", "other_id").iter_rows()) == {ids[1]: ids[0], ids[3]: ids[2]}
    assert Artifact(tmp_path / "out").meta["select"]["rounds"] > 1


@pytest.mark.parametrize(
    ("rows", "keys", "weight", "bundle"), [(1, 1, 4, 1), (3, 7, 9, 2), (1000, 1000, 1, 3), (2, 5, 8, 4)]
)
@pytest.mark.parametrize("protect", [None, Only(source=("y",))])
def test_bucket_sizes_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, keys: int, weight: int, bundle: int, protect: Any
) -> None:
    """However buckets, shares and bundles of parts are cut, the ledger is the same, and the progress is as foretold."""
    texts = [["abcd", "abc", "x", "xyz"], [], ["efgh", "abcdefgh", "xy", "ab"], ["cdef", "abcd"]]
    view, _ = view_of(tmp_path, texts)
    stage = Letters(protect=protect)
    whole = run(stage, view, 10, tmp_path / "whole")
    monkeypatch.setattr(job, "ROWS_PER_BUCKET", rows)
    monkeypatch.setattr(job, "KEYS_PER_BUCKET", keys)
    monkeypatch.setattr(job, "BYTES_PER_SHARE", weight)
    monkeypatch.setattr(job, "MOST_LOOSE", bundle - 1)
    monkeypatch.setattr(job, "TOGETHER", bundle)
    assert run(stage, view, 10, tmp_path / "cut").equals(whole)
    steps = list(run_select(stage, view, 10, Artifact(tmp_path / "again"), b"{}", SerialExecutor()))
    assert len(steps) == pieces(stage, view, 10)
    assert whole.height >= 3


class Dies(SerialExecutor):
    """Works a number of items, then dies."""

    def __init__(self, items: int) -> None:
        self.left = items

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, cpus: int = 1, gpus: int = 0
    ) -> Iterator[tuple[int, Any]]:
        """Yields results until it dies."""
        for result in super().map(fn, items):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield result


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_stopped_after_any_task_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after each task of each phase in turn, with several rounds, and run again: the same bytes."""
    monkeypatch.setattr(matching, "LEADERS", 1)
    monkeypatch.setattr(job, "KEYS_PER_BUCKET", 10)
    view, _ = view_of(tmp_path / "in", [["abcde", "bcdef"], ["defx", "defy"], ["abcd", "abcd"]])
    run(Letters(), view, 6, tmp_path / "whole")
    wanted = _files(tmp_path / "whole")
    stopped = 0
    for items in range(200):
        folder = tmp_path / f"stopped-{items}"
        try:
            run(Letters(), view, 6, folder, Dies(items))
        except KeyboardInterrupt:
            stopped += 1
            run(Letters(), view, 6, folder)
            assert _files(folder) == wanted
            continue
        break
    assert stopped > 25


def test_the_largest_clusters_are_shown(tmp_path: Path) -> None:
    """Clusters come largest first with their kept rows and texts; a dropped row says for whom, and how alike."""
    view, ids = view_of(tmp_path, [["abcd", "mn", "q"], ["abc", "abce", "mn"]])
    run(Letters(), view, 6, tmp_path / "out")
    lines = [orjson.loads(line) for line in (tmp_path / "out" / "clusters.jsonl").read_bytes().splitlines()]
    assert [(c["rows"], c["kept"]) for c in lines] == [(3, 1), (2, 1)]
    assert lines[0]["samples"][0] == {"id": ids[0], "other_id": None, "score": None, "text": "abcd"}
    assert lines[0]["samples"][1] == {"id": ids[3], "other_id": ids[0], "score": 0.75, "text": "abc"}


def test_a_run_tells_of_its_selects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output's ledger has the clusters, and the report says how many pairs were left out."""
    monkeypatch.setattr(matching, "LEADERS", 2)
    asked = "Could you tell me when the shop at the main station opens on Sunday, please? "
    rows = [chat(asked + word, "At nine.") for word in ("Now", "Then", "Here", "There", "Soon", "Later")]
    small = Small(tmp_path, {"one": rows}, stages=["minhash_dedup"])
    notes = small.run().notes
    assert any(
        re.match(r"minhash_dedup: \d+ pairs were not compared, because up to 6 rows share a key", n) for n in notes
    )
    lines = (small.out / "ledger" / "minhash_dedup-clusters.jsonl").read_bytes().splitlines()
    assert orjson.loads(lines[0])["rows"] == 6
    assert small.ledger().select("reason").unique().rows() == [("near_duplicate",)]


def test_what_is_not_compared_for_its_number_is_told_without_a_crowd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key is crowded, but a row is compared with the best rows only."""
    monkeypatch.setattr(matching, "MOST_PAIRS", 1)
    asked = "Could you tell me when the shop at the main station opens on Sunday, please? "
    rows = [chat(asked + word, "At nine.") for word in ("Now", "Then", "Here", "There", "Soon", "Later")]
    notes = Small(tmp_path, {"one": rows}, stages=["minhash_dedup"]).run().notes
    said = r"minhash_dedup: \d+ pairs were not compared, because a row is compared with the few best that share a key"
    assert any(re.match(said, note) for note in notes)


def test_what_a_killed_run_left_of_a_finished_step_is_removed(tmp_path: Path) -> None:
    """Killed between the end of a step and the removal of what it worked with: the next run removes it."""
    small = Small(tmp_path, {"one": [chat("a", "b")] * 2}, stages=["minhash_dedup"])
    small.run()
    steps = {planned.kind: planned.artifact.folder for planned in small.plan().steps}
    left = [steps["select"] / "work", steps["ingest"] / "occurrences", steps["ingest"] / "utterances"]
    for folder in left:
        folder.mkdir()
        (folder / "part-00000.arrow").touch()
    small.run()
    assert not any(folder.exists() for folder in left)
