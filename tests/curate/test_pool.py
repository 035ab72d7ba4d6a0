"""A pool opens mapped parts, indexes their light columns and gathers the tokens of any rows."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import StoreError
from curate.pool import POOL_SCHEMA, Pool
from curate.shards.ids import hex_from_ids, ids_from_hex

from .pool_maker import pool_batch, write_part


def _two_parts(tmp_path: Path) -> list[Path]:
    first = pool_batch([3, 5, 1], abilities=["b", "a", "b"], sources=["x", "y", "x"], domain=[True, False, True])
    second = pool_batch([4, 2], abilities=["c", "a"], sources=["w", "x"], seed=1)
    third = pool_batch([6], abilities=["c"], sources=["w"], seed=2)
    return [
        write_part(tmp_path / "p0.arrow", [first]),
        write_part(tmp_path / "p1.arrow", [second, third], "stream"),
    ]


def test_index_joins_parts_and_sorts_names(tmp_path: Path) -> None:
    """Rows keep the order of the parts; codes point into names sorted alphabetically."""
    pool = Pool.open(_two_parts(tmp_path))
    index = pool.index
    assert len(pool) == len(index) == 6
    assert index.ability_names == ("a", "b", "c")
    assert index.source_names == ("w", "x", "y")
    assert index.ability.tolist() == [1, 0, 1, 2, 0, 2]
    assert index.source.tolist() == [1, 2, 1, 0, 1, 0]
    assert index.domain.tolist() == [True, False, True, False, False, False]
    assert index.n_tokens.tolist() == [3, 5, 1, 4, 2, 6]
    assert index.n_trained.tolist() == [2, 3, 1, 2, 1, 3]


def test_gather_copies_spans_in_the_order_asked(tmp_path: Path) -> None:
    """Tokens, labels, ids and sources come in the order of the rows, repeats included."""
    pool = Pool.open(_two_parts(tmp_path))
    got = pool.gather(np.array([5, 0, 4, 0]))
    assert got.offsets.tolist() == [0, 6, 9, 11, 14]
    assert got.input_ids.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 1000, 1001, 0, 1, 2]
    assert got.labels.tolist() == [-100, -100, -100, 3, 4, 5, -100, 1, 2, -100, 1001, -100, 1, 2]
    assert got.source_ids.tolist() == [0, 1, 1, 1]
    assert np.array_equal(got.ids, pool.index.ids[[5, 0, 4, 0]])


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=30), data=st.data())
@settings(deadline=None, max_examples=60)
def test_gather_equals_slices_of_the_batch(lengths: list[int], data: st.DataObject) -> None:
    """Whatever the rows, gathered spans are the lists of the batch, also of a slice whose bits begin inside a byte."""
    batch = pool_batch(lengths, abilities=["a"] * len(lengths), sources=["s"] * len(lengths))
    batch = batch.slice(data.draw(st.integers(0, len(lengths) - 1)))
    rows = data.draw(st.lists(st.integers(0, len(batch) - 1), max_size=40))
    got = Pool([batch]).gather(np.array(rows, dtype=np.int64))
    ids, masks = batch.column("input_ids").to_pylist(), batch.column("loss_mask").to_pylist()
    spans = list(pairwise(got.offsets))
    assert [got.input_ids[a:b].tolist() for a, b in spans] == [ids[row] for row in rows]
    wanted = [[i if on else -100 for i, on in zip(ids[row], masks[row], strict=True)] for row in rows]
    assert [got.labels[a:b].tolist() for a, b in spans] == wanted


def test_parts_written_by_polars_open(tmp_path: Path) -> None:
    """A part rewritten by polars, which names list items differently, reads the same."""
    batch = pool_batch([3, 5], abilities=["a", "b"], sources=["x", "x"])
    frame = pl.DataFrame(pl.from_arrow(batch))
    frame.write_ipc(tmp_path / "p.arrow", compat_level=pl.CompatLevel.oldest())
    pool = Pool.open([tmp_path / "p.arrow"])
    assert np.array_equal(pool.index.ids, Pool([batch]).index.ids)
    assert pool.gather(np.array([1])).input_ids.tolist() == [1000, 1001, 1002, 1003, 1004]


def test_pool_of_no_parts_is_empty() -> None:
    """No parts make an empty index and gather nothing."""
    pool = Pool.open([])
    assert (len(pool), len(pool.index), pool.index.ids.shape) == (0, 0, (0, 2))
    assert pool.gather(np.array([], dtype=np.int64)).input_ids.size == 0


def test_ids_survive_the_round_trip() -> None:
    """Hex digits to numbers and back is the identity, also for a slice."""
    text = ["00" * 16, "ff" * 16, "0123456789abcdef" * 2]
    assert hex_from_ids(ids_from_hex(pa.array(text, pa.large_string()))).to_pylist() == text
    assert ids_from_hex(pa.array(text, pa.large_string())[1:])[0].tolist() == [2**64 - 1, 2**64 - 1]


@pytest.mark.parametrize("bad", ["ab", "0123456789abcdeF" * 2, None])
def test_malformed_id_is_refused(bad: str | None) -> None:
    """An id that isn't 32 lower-case hex digits is shown."""
    with pytest.raises(StoreError, match=f"holds {bad!r}; ids are 32 lower-case hex digits"):
        ids_from_hex(pa.array(["0" * 32, bad], pa.large_string()))


def test_missing_and_damaged_parts_are_named(tmp_path: Path) -> None:
    """The message names the part and what to do."""
    with pytest.raises(StoreError, match=r"gone\.arrow: this pool part is missing; run the tokenize step again"):
        Pool.open([tmp_path / "gone.arrow"])
    part = write_part(tmp_path / "cut.arrow", [pool_batch([3], abilities=["a"], sources=["s"])])
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(StoreError, match=r"cut\.arrow: not a complete Arrow part"):
        Pool.open([part])


def test_wrong_columns_are_named(tmp_path: Path) -> None:
    """A part without a column, or with 32-bit lists, is refused."""
    batch = pool_batch([3], abilities=["a"], sources=["s"])
    with pytest.raises(StoreError, match="no column 'loss_mask'; a pool part has id, group"):
        Pool.open([write_part(tmp_path / "a.arrow", [batch.drop_columns(["loss_mask"])])])
    place = POOL_SCHEMA.get_field_index("input_ids")
    narrow = batch.set_column(place, "input_ids", batch.column("input_ids").cast(pa.list_(pa.int32())))
    with pytest.raises(StoreError, match=r"column 'input_ids' is list<.*>, a pool part has large_list"):
        Pool.open([write_part(tmp_path / "b.arrow", [narrow])])


def test_null_values_are_refused() -> None:
    """A row without ability or length is an error, not a default."""
    batch = pool_batch([3, 4], abilities=["a", None], sources=["s", "s"])  # type: ignore[list-item]
    with pytest.raises(StoreError, match="a row without 'ability'"):
        _ = Pool([batch]).index
    place = POOL_SCHEMA.get_field_index("n_tokens")
    batch = pool_batch([3, 4], abilities=["a", "b"], sources=["s", "s"])
    with pytest.raises(StoreError, match="a row without 'n_tokens'"):
        _ = Pool([batch.set_column(place, "n_tokens", pa.array([3, None], pa.int32()))]).index


def test_length_that_contradicts_the_tokens_is_refused() -> None:
    """A wrong n_tokens never reads or writes beyond a buffer."""
    batch = pool_batch([3, 4], abilities=["a", "b"], sources=["s", "s"])
    place = POOL_SCHEMA.get_field_index("n_tokens")
    wrong = batch.set_column(place, "n_tokens", pa.array([3, 9], pa.int32()))
    with pytest.raises(StoreError, match="a row whose input_ids isn't n_tokens long"):
        Pool([wrong]).gather(np.array([1]))


def test_row_out_of_range_is_an_index_error() -> None:
    """Rows count from zero."""
    pool = Pool([pool_batch([3], abilities=["a"], sources=["s"])])
    with pytest.raises(IndexError, match="the pool has 1 rows"):
        pool.gather(np.array([1]))


def test_taken_index_keeps_its_names(tmp_path: Path) -> None:
    """Some rows of an index, in any order, still name the same abilities."""
    index = Pool.open(_two_parts(tmp_path)).index
    some = index.take(np.array([5, 0]))
    assert [index.ability_names[code] for code in some.ability] == ["c", "b"]
    assert np.array_equal(some.ids, index.ids[[5, 0]])
    assert some.n_tokens.tolist() == [6, 3]


def test_pool_loads_without_numba() -> None:
    """Opening and indexing a pool doesn't start the compiler."""
    code = "import sys, curate.pool, curate.shards; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
