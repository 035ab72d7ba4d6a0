"""A recipe's pool is opened for mixing: the same stream and sequences as its run, and no validation row in any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from curate.errors import RecipeError, StoreError
from curate.mixing import Mixing, open_mixing
from curate.recipe import load_mix
from curate.shards import Manifest, ShardReader
from tests.curate.index_maker import spec_of
from tests.curate.small import TOKENIZER, Small, chat


def _chats(kind: str, count: int) -> list[dict[str, Any]]:
    return [{**chat(f"{kind} question {k}?", f"answer {k} " + "word " * (k % 23))} for k in range(count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A finished run over two sources, one of them domain data."""
    sources = {"calls": _chats("call", 60), "math": _chats("math", 90)}
    made = Small(
        tmp_path_factory.mktemp("mixing"),
        sources,
        tokenizer=TOKENIZER,
        split={"validation": 9},
        mix={"domain_to_general": "1:2"},
        pack={"length": 96, "window": 8},
    )
    made.recipe["sources"][0] |= {"domain": True, "language": "zh"}
    made.run()
    return made


@pytest.fixture(scope="module")
def mixing(small: Small) -> Mixing:
    """The run's pool, open."""
    return open_mixing(small.plan())


def test_the_stream_and_the_lock_are_those_of_the_run(small: Small, mixing: Mixing) -> None:
    """Resolving again gives the run's lock, and its hash is the one in the manifest."""
    mixture = mixing.resolve()
    written = orjson.loads((small.out / "mix.lock.json").read_bytes())
    assert mixing.lock(mixture) == written
    assert written["stream"]["sha256"] == mixture.sha256


def test_sequences_read_from_the_pool_are_those_of_the_shards(small: Small, mixing: Mixing) -> None:
    """Tokens, labels, documents and sources agree, one by one and in batches; nothing was exported for it."""
    view, reader = mixing.packed(mixing.resolve()), ShardReader.open(small.out / "train")
    assert len(view) == len(reader)
    assert view.tokens == sum(shard.tokens for shard in Manifest.read(small.out).shards["train"])
    for number in range(len(view)):
        for mine, theirs in zip(view.read(number), reader.read(number), strict=True):
            assert np.array_equal(mine, theirs)
        assert view.doc_ids(number) == reader.doc_ids(number)
    order = [len(view) - 1, 0, 2, 0]
    for mine, theirs in zip(view.batch(order), reader.batch(order), strict=True):
        assert np.array_equal(mine, theirs)
    with pytest.raises(IndexError, match="no sequence"):
        view.read(len(view))


def test_validation_rows_are_those_of_the_run_and_in_no_mixture(small: Small, mixing: Mixing) -> None:
    """Neither a held-out row nor one of its group is in any pass of any mixture."""
    held = mixing.validation
    assert {name: rows.size for name, rows in held.items()} == {"calls": 9, "math": 9}
    shards = ShardReader.open(small.out / "validation" / "math")
    assert [mixing.unpacked(held["math"]).doc_ids(k) for k in range(9)] == [shards.doc_ids(k) for k in range(9)]
    groups = mixing.pool.index.groups
    kept_out = {tuple(group) for rows in held.values() for group in groups[rows].tolist()}
    for rule in ({"epochs": {"*": 3.5}}, {"equal": True}, {"temperature": {"T": 4}}, {"unit": "rows"}):
        used = mixing.resolve(spec_of(**rule)).rows
        assert kept_out.isdisjoint(tuple(group) for group in groups[used].tolist())


def test_a_pool_has_languages_to_mix_by(mixing: Mixing) -> None:
    """The rows' own language reaches the pool."""
    mixture = mixing.resolve(spec_of(by="language", unit="rows"))
    assert {group.name for group in mixture.groups} == {"unknown", "zh"}


def test_a_pool_that_was_never_made(tmp_path: Path) -> None:
    """The message says which command makes it."""
    fresh = Small(tmp_path, {"math": _chats("math", 30)}, tokenizer=TOKENIZER)
    with pytest.raises(StoreError, match=r"the pool of 'small' is not in the store \(never run\); `curate run`"):
        open_mixing(fresh.plan())
    del fresh.recipe["tokenizer"]
    with pytest.raises(StoreError, match="has no `tokenizer:`, so it makes no pool"):
        open_mixing(fresh.plan())


def test_a_mix_may_stand_in_a_file_of_its_own(small: Small, mixing: Mixing) -> None:
    """A path in `mix:` means the same as its content, so nothing runs again."""
    path = small.folder / "mix.yaml"
    path.write_text('mix:\n  domain_to_general: "1:2"\n')
    before = small.plan().last.step.key
    small.recipe["mix"] = str(path)
    assert small.plan().last.step.key == before
    path.write_text('domain_to_general: "1:2"\n')
    assert small.plan().last.step.key == before
    small.recipe["mix"] = {"domain_to_general": "1:2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "mix:\n  weights: {a: 1}\n  tempreature: {T: 2}\n",
            "mix.yaml:3: mix: unknown parameter 'tempreature'; did you mean 'temperature'",
        ),
        ("temperature:\n  t: 2\n", "mix.yaml:2: mix.temperature: unknown parameter 't'"),
        ("per_group_max: 100\n", "mix.yaml:1: mix: per_group_max says what it counts: {rows: 100}"),
        ("- 1\n", "mix.yaml:1: a mixture is a mapping"),
        ("amounts: {a: 1/2, b: 3}\n", "a fraction of its own data is at most 1"),
    ],
)
def test_a_wrong_mix_file_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Errors name the file, the line, the key and the nearest known one."""
    path = tmp_path / "mix.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_mix(path)
    assert message in str(caught.value)
