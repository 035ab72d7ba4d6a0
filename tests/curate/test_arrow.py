"""Arrow arrays beside numpy and polars: the same values, the same memory, no pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from curate.arrow import arrow_numbers, arrow_strings, numbers_of, series_of, texts_at
from tests.curate.small import TOKENIZER, Small, chat


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, np.float64])
def test_numbers_go_there_and_back_over_the_same_memory(dtype: type[np.generic]) -> None:
    """Values and type are kept, slices too; nothing is copied."""
    values = np.arange(5).astype(dtype)
    column = arrow_numbers(values)
    assert column.equals(pa.array(values))
    assert np.shares_memory(numbers_of(column), values)
    assert numbers_of(column[2:4]).tolist() == [2, 3]
    assert numbers_of(arrow_numbers(values[:0])).dtype == dtype


def test_strided_numbers_are_copied() -> None:
    """A view with gaps gives its own values."""
    assert arrow_numbers(np.arange(6)[::2]).to_pylist() == [0, 2, 4]


def test_strings_become_a_column_and_a_series() -> None:
    """Nulls, empty and Chinese texts are kept; some can be picked out."""
    column = arrow_strings(["你好", "", None, "a"])
    assert column.type == pa.large_string()
    assert series_of(column).to_list() == ["你好", "", None, "a"]
    assert series_of(column[1:]).dtype == pl.String
    assert texts_at(column, np.array([3, 0])) == ["a", "你好"]


def test_a_run_imports_neither_pandas_nor_arrow_compute(tmp_path: Path) -> None:
    """From raw rows to shards; both cost more time to import than a part takes."""
    small = Small(tmp_path, {"a": [chat(f"问题{i}？", f"回答{i}。") for i in range(30)]}, tokenizer=TOKENIZER)
    code = (
        "import sys\nfrom curate.cli import main\n"
        f"sys.argv = ['curate', 'run', {str(small.write())!r}, '--executor', 'serial', '--quiet']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(sorted({'pandas', 'pyarrow.compute'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
