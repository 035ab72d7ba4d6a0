"""Writes sequences as shards of about equal size, in bounded memory, hashing while it writes."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curate.files import atomic_open, write_json
from curate.shards.documents import DocumentSource
from curate.shards.schema import SHARD_SCHEMA, to_batch

SHARD_BYTES = 256 << 20
_BATCH_SEQUENCES = 1000
_BATCH_TOKENS = 1 << 21
_TOKEN_BYTES = 8
_BATCHES_AHEAD = 2
_SHARDS_AT_ONCE = 2

_Lanes = tuple[ThreadPoolExecutor, ThreadPoolExecutor]
"""One thread that hashes and one that writes, each keeping the order it is given."""


class ShardInfo(BaseModel):
    """Accounts for one shard file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str = Field(description="file name inside its folder")
    rows: int = Field(ge=0, description="sequences")
    tokens: int = Field(ge=0, description="tokens of all sequences")
    trained_tokens: int = Field(ge=0, description="tokens that carry loss")
    sha256: str = Field(description="of the file's bytes, hex")


@dataclass(frozen=True)
class _Layout:
    """Sequences as offsets: ``bounds`` into ``rows`` (documents), ``starts`` in tokens at each bound."""

    rows: NDArray[np.int64]
    bounds: NDArray[np.int64]
    starts: NDArray[np.int64]

    def cut(self, tokens_each: int) -> NDArray[np.int64]:
        """Returns sequence offsets that cut all tokens into equal shards of at most about ``tokens_each``."""
        total = int(self.starts[-1])
        shards = max(1, -(-total // tokens_each))
        targets = total * np.arange(1, shards, dtype=np.int64) // shards
        inner = np.searchsorted(self.starts, targets, side="left")
        return np.unique(np.concatenate([[0], inner, [self.bounds.size - 1]])).astype(np.int64)

    def batches(self, first: int, end: int) -> Iterator[tuple[int, int]]:
        """Yields sequence ranges of at most 1,000 sequences and about two million tokens (one sequence may be longer)."""
        while first < end:
            fits = int(np.searchsorted(self.starts, self.starts[first] + _BATCH_TOKENS, side="right")) - 1
            last = min(end, first + _BATCH_SEQUENCES, max(first + 1, fits))
            yield first, last
            first = last


def write_packed(
    folder: Path,
    source: DocumentSource,
    rows: NDArray[np.int64],
    bounds: NDArray[np.int64],
    *,
    key: str,
    shard_bytes: int = SHARD_BYTES,
) -> list[ShardInfo]:
    """Writes sequences to ``folder`` and returns what each shard holds, in order.

    ``rows`` are rows of ``source``, sequence after sequence; sequence ``s`` is ``rows[bounds[s]:bounds[s + 1]]``.
    ``key`` names the content of ``source``: a shard already complete for the same key and rows is kept as it is,
    so a run that was cut short goes on where it stopped. The same arguments write the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = np.concatenate([[0], np.cumsum(source.n_tokens[rows], dtype=np.int64)])[bounds]
    layout = _Layout(rows, bounds, starts)
    cuts = layout.cut(max(1, shard_bytes // _TOKEN_BYTES))
    names = [f"data-{k:05d}-of-{max(1, cuts.size - 1):05d}.arrow" for k in range(max(1, cuts.size - 1))]
    _remove_stale(folder, names)
    spans = list(pairwise(cuts.tolist())) if cuts.size > 1 else [(0, 0)]

    def write(name: str, span: tuple[int, int]) -> ShardInfo:
        with ThreadPoolExecutor(1) as hashing, ThreadPoolExecutor(1) as writing:
            return _complete_or_write(folder / name, source, layout, *span, key, (hashing, writing))

    with ThreadPoolExecutor(_SHARDS_AT_ONCE) as shards:
        return list(shards.map(write, names, spans))


def write_unpacked(
    folder: Path, source: DocumentSource, rows: NDArray[np.int64], *, key: str, shard_bytes: int = SHARD_BYTES
) -> list[ShardInfo]:
    """Writes each document as a sequence of its own, in the order of ``rows``: the form of a validation set."""
    bounds = np.arange(rows.size + 1, dtype=np.int64)
    return write_packed(folder, source, rows, bounds, key=key, shard_bytes=shard_bytes)


def read_info(shard: Path) -> ShardInfo | None:
    """Returns the account kept beside a shard file, or None when there is none."""
    try:
        return ShardInfo.model_validate(orjson.loads(shard.with_suffix(".json").read_bytes())["shard"])
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, ValidationError):
        return None


def _complete_or_write(
    path: Path, source: DocumentSource, layout: _Layout, first: int, end: int, key: str, lanes: _Lanes
) -> ShardInfo:
    documents = layout.rows[layout.bounds[first] : layout.bounds[end]]
    content = _content(key, documents, layout.bounds[first : end + 1] - layout.bounds[first])
    sidecar = path.with_suffix(".json")
    known = read_info(path)
    if known and path.exists() and orjson.loads(sidecar.read_bytes()).get("content") == content:
        return known
    digest, size = _write_file(path, source, layout, first, end, lanes)
    info = ShardInfo(
        file=path.name,
        rows=end - first,
        tokens=int(source.n_tokens[documents].sum(dtype=np.int64)),
        trained_tokens=int(source.n_trained[documents].sum(dtype=np.int64)),
        sha256=digest,
    )
    write_json(sidecar, {"shard": info.model_dump(), "content": content, "bytes": size})
    return info


def _content(key: str, documents: NDArray[np.int64], bounds: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(key.encode())
    digest.update(b"\0")
    for part in (documents, bounds):
        digest.update(np.ascontiguousarray(part, dtype="<i8").data)
    return digest.hexdigest()


def _write_file(
    path: Path, source: DocumentSource, layout: _Layout, first: int, end: int, lanes: _Lanes
) -> tuple[str, int]:
    """Writes one shard; one thread hashes and one writes while this one gathers the next batches."""
    with atomic_open(path) as handle:
        tee = _Tee(handle, lanes)
        with pa.ipc.new_stream(pa.PythonFile(tee, mode="w"), SHARD_SCHEMA) as writer:
            for a, b in layout.batches(first, end):
                bounds = layout.bounds[a : b + 1]
                documents = source.gather(layout.rows[bounds[0] : bounds[-1]])
                writer.write_batch(to_batch(documents, bounds - bounds[0]))
                tee.hand_over()
        tee.hand_over()
        tee.wait(0)
        return tee.digest.hexdigest(), tee.size


class _Tee:
    """A file for Arrow to write to that passes buffers on, uncopied, to a thread that hashes and one that writes."""

    closed = False

    def __init__(self, handle: IO[bytes], lanes: _Lanes) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._handle = handle
        self._lanes = lanes
        self._parts: list[Any] = []
        self._pending: deque[Future[None]] = deque()

    def write(self, data: Any) -> None:
        """Keeps a part of the stream (bytes or an Arrow buffer) for the next hand-over."""
        self._parts.append(data)
        self.size += len(memoryview(data))

    def flush(self) -> None:
        """Does nothing: the file is flushed when it is whole."""

    def close(self) -> None:
        """Does nothing: the file is closed by who opened it."""

    def hand_over(self) -> None:
        """Passes the parts on; waits while more than two batches are under way, so memory is bounded."""
        parts, self._parts = self._parts, []
        self.wait(2 * _BATCHES_AHEAD)
        hashing, writing = self._lanes
        self._pending += (
            hashing.submit(_each, self.digest.update, parts),
            writing.submit(_each, self._handle.write, parts),
        )

    def wait(self, most: int) -> None:
        """Waits until at most ``most`` jobs are under way; raises what a job raised."""
        while len(self._pending) > most:
            self._pending.popleft().result()


def _each(call: Callable[[Any], object], parts: list[Any]) -> None:
    for part in parts:
        call(part)


def _remove_stale(folder: Path, names: list[str]) -> None:
    """Deletes shards of an earlier run that was cut into another number of files."""
    keep = set(names) | {Path(name).with_suffix(".json").name for name in names}
    for path in folder.iterdir():
        if re.fullmatch(r"data-\d{5}-of-\d{5}\.(arrow|json)", path.name) and path.name not in keep:
            path.unlink()
