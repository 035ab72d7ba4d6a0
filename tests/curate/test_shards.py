"""Shards hold what was gathered, byte for byte the same each time, and open in ``datasets``."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from pathlib import Path

import datasets
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.errors import StoreError
from curate.pool import Pool
from curate.shards import (
    Manifest,
    ShardInfo,
    ShardReader,
    finish_dataset,
    verify,
    write_packed,
    write_unpacked,
)
from curate.shards.manifest import ChatTemplateInfo, PackingInfo, TokenizerInfo
from curate.shards.schema import SHARD_SCHEMA

from .pool_maker import pool_batch

ROWS = np.array([4, 0, 2, 1, 5, 3, 0])
BOUNDS = np.array([0, 2, 3, 6, 7])


@pytest.fixture(scope="module")
def pool() -> Pool:
    """Six rows in two parts."""
    first = pool_batch([3, 5, 1], abilities=["b", "a", "b"], sources=["x", "y", "x"])
    second = pool_batch([4, 2, 6], abilities=["c", "a", "c"], sources=["w", "x", "w"], seed=1)
    return Pool([first, second])


def _manifest(shards: dict[str, tuple[ShardInfo, ...]]) -> Manifest:
    return Manifest(
        shards=shards,
        sources=("w", "x", "y"),
        tokenizer=TokenizerInfo(name="tok", digest="d", engine="reference"),
        chat_template=ChatTemplateInfo(digest="t"),
        packing=PackingInfo(length=12, window=4, fill=0.9, ineligible=0),
        recipe="r",
        mix="m",
        eos=(2,),
    )


def _export(root: Path, pool: Pool, shard_bytes: int = 64) -> Manifest:
    infos = write_packed(root / "train", pool, ROWS, BOUNDS, key="k", shard_bytes=shard_bytes)
    manifest = _manifest({"train": tuple(infos)})
    finish_dataset(root / "train", infos, fingerprint=manifest.fingerprint("train"), split="train")
    manifest.write(root)
    return manifest


@pytest.mark.parametrize("shard_bytes", [1, 64, 1 << 28])
def test_reader_returns_the_sequences_written(tmp_path: Path, pool: Pool, shard_bytes: int) -> None:
    """Tokens, labels, lengths, sources and ids of each sequence are those of its rows, however shards are cut."""
    _export(tmp_path, pool, shard_bytes)
    reader = ShardReader.open(tmp_path / "train")
    assert len(reader) == 4
    for number in range(4):
        rows = ROWS[BOUNDS[number] : BOUNDS[number + 1]]
        wanted, got = pool.gather(rows), reader.read(number)
        assert np.array_equal(got.input_ids, wanted.input_ids)
        assert np.array_equal(got.labels, wanted.labels)
        assert got.seq_lengths.tolist() == np.diff(wanted.offsets).tolist()
        assert got.source_ids.tolist() == wanted.source_ids.tolist()
        assert reader.doc_ids(number) == [f"{a:016x}{b:016x}" for a, b in wanted.ids.tolist()]


def test_datasets_opens_the_folder(tmp_path: Path, pool: Pool) -> None:
    """``load_from_disk`` reads the same rows with the same types; the state names the manifest."""
    manifest = _export(tmp_path, pool)
    found = datasets.load_from_disk(str(tmp_path / "train"))
    assert isinstance(found, datasets.Dataset)
    assert orjson.loads((tmp_path / "train" / "state.json").read_bytes())["_fingerprint"] == manifest.hash
    assert found.data.schema.equals(SHARD_SCHEMA)
    assert found.column_names == ["input_ids", "labels", "seq_lengths", "source_ids", "doc_ids"]
    assert str(found.features["source_ids"].feature.dtype) == "int16"
    reader = ShardReader.open(tmp_path / "train")
    assert [row["input_ids"] for row in found] == [reader.read(k).input_ids.tolist() for k in range(4)]
    assert found[2]["doc_ids"] == reader.doc_ids(2)


def test_shard_accounts_add_up_and_hashes_are_those_of_the_files(tmp_path: Path, pool: Pool) -> None:
    """Rows, tokens and trained tokens of all shards are those of the documents written."""
    manifest = _export(tmp_path, pool)
    infos = manifest.shards["train"]
    assert len(infos) > 1
    assert sum(info.rows for info in infos) == 4
    assert sum(info.tokens for info in infos) == pool.n_tokens[ROWS].sum()
    assert sum(info.trained_tokens for info in infos) == pool.n_trained[ROWS].sum()
    for info in infos:
        assert hashlib.sha256((tmp_path / "train" / info.file).read_bytes()).hexdigest() == info.sha256


def test_bytes_are_the_same_in_another_folder(tmp_path: Path, pool: Pool) -> None:
    """Two exports of one plan are equal files."""
    assert _export(tmp_path / "a", pool).hash == _export(tmp_path / "b", pool).hash


def test_complete_shards_are_kept_and_missing_ones_written_again(tmp_path: Path, pool: Pool) -> None:
    """A second run leaves finished shards untouched and restores the one that is gone."""
    infos = write_packed(tmp_path, pool, ROWS, BOUNDS, key="k", shard_bytes=64)
    stamps = {info.file: (tmp_path / info.file).stat().st_mtime_ns for info in infos}
    (tmp_path / infos[1].file).unlink()
    assert write_packed(tmp_path, pool, ROWS, BOUNDS, key="k", shard_bytes=64) == infos
    kept = [info.file for info in infos if (tmp_path / info.file).stat().st_mtime_ns == stamps[info.file]]
    assert kept == [info.file for info in infos if info != infos[1]]


def test_another_key_or_plan_writes_again_and_removes_old_files(tmp_path: Path, pool: Pool) -> None:
    """Nothing of an earlier export survives: not by name, not by content."""
    write_packed(tmp_path, pool, ROWS, BOUNDS, key="k", shard_bytes=1)
    infos = write_packed(tmp_path, pool, ROWS[::-1].copy(), BOUNDS, key="k")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data-00000-of-00001.arrow",
        "data-00000-of-00001.json",
    ]
    before = (tmp_path / infos[0].file).stat().st_mtime_ns
    write_packed(tmp_path, pool, ROWS[::-1].copy(), BOUNDS, key="other")
    assert (tmp_path / infos[0].file).stat().st_mtime_ns > before


def test_unpacked_rows_are_single_documents(tmp_path: Path, pool: Pool) -> None:
    """A validation folder has one document a row, in the order given."""
    infos = write_unpacked(tmp_path, pool, np.array([3, 1]), key="k")
    finish_dataset(tmp_path, infos, fingerprint="f", split="validation")
    reader = ShardReader.open(tmp_path)
    assert [reader.read(k).seq_lengths.tolist() for k in range(2)] == [[4], [5]]


def test_nothing_to_write_makes_an_empty_dataset(tmp_path: Path, pool: Pool) -> None:
    """No sequences make one shard without rows that still opens."""
    infos = write_unpacked(tmp_path, pool, np.array([], dtype=np.int64), key="k")
    finish_dataset(tmp_path, infos, fingerprint="f", split="train")
    assert len(ShardReader.open(tmp_path)) == 0
    assert len(datasets.load_from_disk(str(tmp_path))) == 0


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=12), shard_bytes=st.integers(1, 400))
@settings(deadline=None, max_examples=30)
def test_batch_lays_sequences_end_to_end(
    tmp_path_factory: pytest.TempPathFactory, pool: Pool, sizes: list[int], shard_bytes: int
) -> None:
    """A batch is the concatenation of its sequences, whatever the shards."""
    folder = tmp_path_factory.mktemp("batch")
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = np.arange(bounds[-1]) % len(pool)
    infos = write_packed(folder, pool, rows, bounds, key="k", shard_bytes=shard_bytes)
    finish_dataset(folder, infos, fingerprint="f", split="train")
    reader = ShardReader.open(folder)
    order = np.random.default_rng(0).permutation(len(sizes))
    batch = reader.batch(order)
    assert batch.documents.tolist() == [sizes[k] for k in order]
    assert batch.input_ids.tolist() == [t for k in order for t in reader.read(int(k)).input_ids]
    assert batch.labels.tolist() == [t for k in order for t in reader.read(int(k)).labels]
    assert batch.seq_lengths.sum() == batch.input_ids.size
    assert batch.source_ids.size == batch.documents.sum()


def test_reader_travels_to_another_process(tmp_path: Path, pool: Pool) -> None:
    """A pickled reader holds no mapping and reads the same."""
    _export(tmp_path, pool)
    reader = ShardReader.open(tmp_path / "train")
    reader.read(0)
    again = pickle.loads(pickle.dumps(reader))
    assert again._opened == {}
    assert np.array_equal(again.read(3).labels, reader.read(3).labels)


def test_reader_takes_folders_written_by_datasets(tmp_path: Path, pool: Pool) -> None:
    """A folder saved again by ``datasets`` itself, without our accounts, reads the same."""
    _export(tmp_path, pool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        datasets.load_from_disk(str(tmp_path / "train")).save_to_disk(str(tmp_path / "again"))
    ours, theirs = ShardReader.open(tmp_path / "train"), ShardReader.open(tmp_path / "again")
    assert [theirs.read(k).labels.tolist() for k in range(4)] == [ours.read(k).labels.tolist() for k in range(4)]


def test_reader_says_what_is_wrong(tmp_path: Path, pool: Pool) -> None:
    """Unfinished folders, missing shards and numbers out of range are told apart."""
    with pytest.raises(StoreError, match=r"no state.json, so no finished shards are here; run `curate run`"):
        ShardReader.open(tmp_path)
    manifest = _export(tmp_path, pool)
    reader = ShardReader.open(tmp_path / "train")
    for wrong in (4, -1):
        with pytest.raises(IndexError, match=f"no sequence {wrong}; there are 4"):
            reader.read(wrong)
    (tmp_path / "train" / manifest.shards["train"][0].file).unlink()
    with pytest.raises(StoreError, match=r"data-00000-of-\d+.arrow: this shard is missing; export the data again"):
        ShardReader.open(tmp_path / "train")


def test_manifest_survives_the_round_trip(tmp_path: Path, pool: Pool) -> None:
    """What is read is what was written; its hash is the fingerprint of train and of nothing else."""
    manifest = _export(tmp_path, pool)
    assert Manifest.read(tmp_path) == manifest
    assert manifest.fingerprint("train") == manifest.hash
    assert manifest.fingerprint("validation/a") not in (manifest.hash, manifest.fingerprint("validation/b"))


def test_manifest_errors_say_what_and_where(tmp_path: Path, pool: Pool) -> None:
    """A missing or edited manifest is a clean error; an unknown field isn't taken."""
    with pytest.raises(StoreError, match=r"no manifest.json, so this isn't a finished output"):
        Manifest.read(tmp_path)
    manifest = _export(tmp_path, pool)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"window"', '"windo"'))
    with pytest.raises(StoreError, match=r"packing.window: Field required; export the data again"):
        Manifest.read(tmp_path)
    with pytest.raises(ValidationError, match="frozen"):
        manifest.recipe = "x"


def test_verify_names_changed_and_missing_shards(tmp_path: Path, pool: Pool) -> None:
    """One flipped byte or one missing file is found by name."""
    manifest = _export(tmp_path, pool)
    assert verify(tmp_path) == manifest
    first, second = (tmp_path / "train" / info.file for info in manifest.shards["train"][:2])
    data = bytearray(first.read_bytes())
    data[-20] ^= 1
    first.write_bytes(data)
    second.unlink()
    with pytest.raises(StoreError, match=rf"train/{first.name} has sha256 .*train/{second.name} is missing"):
        verify(tmp_path)
