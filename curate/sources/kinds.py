"""What one input file is: its kind by name and first bytes, its compression, size and text encoding."""

from __future__ import annotations

import os
from typing import Literal

import orjson

from curate.errors import SourceError
from curate.sources.columnar import check
from curate.sources.encoding import sniff
from curate.sources.opening import as_utf8, bom_length, chunks, file_system, transcoded
from curate.sources.reasons import DamagedFile
from curate.sources.spec import FileKind, SourceFile

DATA_SUFFIXES: dict[str, FileKind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".txt": "text",
    ".text": "text",
    ".md": "text",
}
BINARY: tuple[FileKind, ...] = ("xlsx", "parquet", "arrow")
_SAMPLE = 256 * 1024
_MAGIC: dict[bytes, FileKind] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"PK\x03\x04": "xlsx"}


def inspect(path: str, encoding: str | None) -> SourceFile:
    """Returns what a file is, having read its first bytes; ``encoding`` overrules what they say.

    Raises:
        SourceError: when the file can't be read or is of no known kind.
    """
    size = _size(path)
    compression, suffix = _suffixes(path)
    kind = DATA_SUFFIXES.get(suffix)
    bare = SourceFile(path, kind or "text", compression, size, "")
    head = _head(bare)
    kind = _kind_by_content(path, kind, head)
    if kind in BINARY:
        if compression:
            raise SourceError(f"{path}: a compressed {kind} file; decompress it first")
        binary = SourceFile(path, kind, "", size, "")
        if size:
            check(binary)
        return binary
    name = encoding or sniff(_sample(bare, head))
    if kind in ("json", "jsonl"):
        kind = _json_kind(kind, head, name)
    return SourceFile(path, kind, compression, size, name)


def _size(path: str) -> int:
    if "://" not in path:
        return os.path.getsize(path)
    filesystem, inner = file_system(path)
    try:
        return int(filesystem.size(inner) or 0)
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{path}: can't be read ({type(error).__name__}: {error})") from error


def _suffixes(path: str) -> tuple[Literal["", "gz", "zst"], str]:
    name, suffix = os.path.splitext(path.lower())
    if suffix == ".gz":
        return "gz", os.path.splitext(name)[1]
    if suffix in (".zst", ".zstd"):
        return "zst", os.path.splitext(name)[1]
    return "", suffix


def _head(file: SourceFile) -> bytes:
    """The first decompressed bytes.

    Raises:
        SourceError: when not one byte can be read.
    """
    try:
        return next(iter(chunks(file, size=_SAMPLE)), b"")
    except DamagedFile as damage:
        if damage.reason == "truncated_file":
            return b""
        raise SourceError(f"{file.path}: can't be read ({damage.detail})") from damage
    except OSError as error:
        raise SourceError(f"{file.path}: can't be read ({error.strerror or error})") from error


def _sample(file: SourceFile, head: bytes) -> bytes:
    """Head, middle and tail of a plain local file, whole lines only; else the head."""
    if file.compression or file.remote or file.size <= 3 * _SAMPLE or b"\0" in head:
        return head
    parts = [head[: head.rfind(b"\n") + 1] or head]
    for start in (file.size // 2, file.size - _SAMPLE):
        part = b"".join(chunks(file, start, min(start + _SAMPLE, file.size)))
        parts.append(part[part.find(b"\n") + 1 : part.rfind(b"\n") + 1])
    return b"".join(parts)


def _kind_by_content(path: str, kind: FileKind | None, head: bytes) -> FileKind:
    if kind is not None:
        return kind
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return name
    if head.lstrip()[:1] in (b"{", b"["):
        return "json"
    known = ", ".join(sorted(DATA_SUFFIXES))
    raise SourceError(f"{path}: unknown kind of file; its name should end in one of {known} (then .gz or .zst)")


def _json_kind(kind: FileKind, head: bytes, encoding: str) -> FileKind:
    """Lines or one array: many ``.json`` files hold lines, some ``.jsonl`` files hold an array."""
    text = b"".join(as_utf8(iter([head]), encoding)) if transcoded(encoding) else head[bom_length(head, encoding) :]
    text = text.lstrip()
    if text.startswith(b"["):
        return "json"
    if kind == "jsonl" or not text.startswith(b"{"):
        return "jsonl"
    first, newline, rest = text.partition(b"\n")
    try:
        orjson.loads(first if encoding == "utf-8" or transcoded(encoding) else first.decode(encoding))
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return "json"
    return "jsonl" if newline and rest.strip() else "json"
