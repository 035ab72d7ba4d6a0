"""The yardstick of the deduplication benchmarks: its Jaccard, its corpus, its score."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a benchmark's module as its script does, with its folder on the path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_shingles_go_by_script(load: Any) -> None:
    """Chinese gives 3-grams, the rest 5-grams, a rest one shorter shingle, and turns are apart."""
    tools = load("dedup_shingles")
    assert tools.shingles(["今天天气", "abcdef"]) == {"今天天", "天天气", "abcde", "bcdef"}
    assert tools.shingles(["买ok"]) == {"买ok"}
    assert tools.shingles(["好，  的  OK", ""]) == {"好 的", " 的 ok", "的 o"}
    assert tools.shingles(["abcdefg天"]) == {"abcde", "bcdef", "cdefg", "defg天"}
    assert tools.shingles(["天天ok"]) == {"天天o", "天ok"}
    assert tools.shingles(["ok天天天a"]) == {"ok天天天", "k天天天a", "天天天", "天天a"}
    assert tools.shingles(["天天天ab c"]) == {"天天天", "天天a", "天ab", "ab c"}
    assert tools.shingles(["abcd"]) == {"abcd"}
    assert tools.jaccard({"a", "b", "c"}, {"b", "c", "d"}) == 0.5


def test_corpus_is_labelled_as_planted(load: Any, tmp_path: Path) -> None:
    """Copies are copies, near copies have the similarity their label says, and a second writing is the same."""
    corpus, tools = load("dedup_corpus"), load("dedup_shingles")
    labels = corpus.write_corpus(tmp_path / "a.jsonl", 2000, text=True)
    lines = [orjson.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().splitlines()]
    turns = [[message["content"] for message in line["messages"]] for line in lines]
    assert [line["id"] for line in lines] == [str(i) for i in range(2000)]
    flat = [orjson.loads(line)["text"] for line in (tmp_path / "a.text.jsonl").read_bytes().splitlines()]
    assert flat == ["\n".join(row) for row in turns]
    for row, kind, base, cluster, similar in labels.iter_rows():
        assert tools.jaccard(tools.shingles(turns[row]), tools.shingles(turns[base])) == similar
        assert (turns[row] == turns[base]) == (kind in ("new", "exact"))
        assert cluster == (row if kind in ("new", "hard") else base)
        assert kind != "hard" or similar < 0.7
    assert 150 < labels.filter(pl.col("kind") == "near").height < 200
    corpus.write_corpus(tmp_path / "b.jsonl", 2000)
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


def test_score_counts_what_went(load: Any) -> None:
    """A cluster that is lost whole is a false positive; a pair is found when not both texts stay."""
    score = load("dedup_score").score
    labels = pl.DataFrame(
        {
            "row": [0, 1, 2, 3, 4, 5],
            "kind": ["new", "exact", "near", "hard", "new", "near"],
            "base": [0, 0, 0, 0, 4, 4],
            "cluster": [0, 0, 0, 3, 4, 4],
            "jaccard": [1.0, 1.0, 0.8, 0.4, 1.0, 0.72],
        }
    )
    everything = score(labels, pl.Series([0, 1, 2, 3, 4, 5]))
    assert (everything.removed, everything.exact, everything.near, everything.pairs) == (0, 0.0, 0.0, 0.0)
    best = score(labels, pl.Series([1, 3, 4]))
    assert (best.removed, best.precision, best.exact, best.near, best.pairs) == (3, 1.0, 1.0, 1.0, 1.0)
    mixed = score(labels, pl.Series([1, 2, 4, 5]))
    assert mixed.precision == 0.5, "one copy went rightly, the hard negative wrongly"
    assert (mixed.exact, mixed.near) == (1.0, 0.0)
    assert score(labels, pl.Series([0, 3, 4, 5])).pairs == 1.0


def test_promises_hold_on_a_small_set(tmp_path: Path) -> None:
    """Precision, recall, templates and copies, through `curate run`, against brute force."""
    script = [sys.executable, str(BENCHMARKS / "dedup_quality.py"), "--scale", "0.03", "--copies", "500"]
    run = subprocess.run(script, capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(re.findall(r"\| +yes \|", run.stdout)) == 10, run.stdout


def test_a_broken_promise_is_told(load: Any) -> None:
    """A row dropped for one that is not like it, a wrong similarity, a pair that stays: each is counted."""
    quality, sets = load("dedup_quality"), load("dedup_sets").text_sets(0.01)
    near = next(p for p in sets.pairs if p.kind == "near" and p.level == 0.9)
    far = next(p for p in sets.pairs if p.kind == "hard")
    everyone = set(range(len(sets.rows)))
    drops = {far.a: (far.b, far.jaccard), near.a: (near.b, 0.1)}
    checks = quality.Checks()
    quality.check_texts(sets, quality.Outcome(everyone - set(drops), drops), checks)
    told = {line[0]: line[3] for line in checks.lines}
    assert told["dropped rows whose true similarity is 0.7 or more"] == "NO"
    assert told["the ledger's similarity is the true one"] == "NO"
    assert told["the row kept instead was kept"] == "yes"
    assert told["rows less than 0.7 like another stay"] == "NO"
    assert told["recall of pairs at 0.75 or more, zh"] == "NO"
