"""Memory does not grow with the size of a file."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

_READ = """
import resource, sys
from curate.sources import SourceSpec, detect, read, resolve, units
spec = SourceSpec.model_validate({"name": "s", "path": sys.argv[1]})
files = resolve(spec)
shape = detect(spec, files)
rows = sum(batch.rows.height for unit in units(spec, files) for batch in read(spec, shape, unit))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
_BLOCK = 10_000


def _write(path: Path, blocks: int) -> None:
    """About 5 MB a block."""
    text = "您好，请问有什么可以帮您？" * 6
    record = {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": text}]}
    line = orjson.dumps(record)
    array = path.suffix == ".json"
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as out:
        out.write(b"[" if array else b"")
        for block in range(blocks):
            joined = (b",\n" if array else b"\n").join([line] * _BLOCK)
            out.write(joined + (b"" if array and block == blocks - 1 else b",\n" if array else b"\n"))
        out.write(b"]" if array else b"")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.jsonl.gz"])
def test_a_file_ten_times_as_long_needs_no_more_memory(tmp_path: Path, name: str) -> None:
    """Peak memory of reading 500 MB is that of reading 50 MB, give or take 40 MB."""
    peaks = []
    for blocks in (10, 100):
        path = tmp_path / f"{blocks}-{name}"
        _write(path, blocks)
        done = subprocess.run([sys.executable, "-c", _READ, str(path)], capture_output=True, text=True, check=True)
        rows, peak = map(int, done.stdout.split())
        assert rows == blocks * _BLOCK
        peaks.append(peak)
        path.unlink()
    assert peaks[1] < peaks[0] + 40
