"""Opening input files: local or any fsspec URL, plain, gzip or zstandard, as a stream of byte chunks."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

import zstandard

from curate.errors import SourceError
from curate.sources.reasons import DamagedFile
from curate.sources.spec import SourceFile

CHUNK = 1 << 22
"""Bytes read at a time, and the input size of a batch."""
_PIECES = {"gz": 16 * 1024, "zst": 2 * 1024}
# Compressed bytes fed at a time: bounds what one call can blow up to (deflate 1:1032, zstandard 1:32768) at 64 MiB.
_MARK = "\udcff"
_BOMS = {"utf-8": codecs.BOM_UTF8, "gb18030": b"\x84\x31\x95\x33"}


def open_binary(path: str) -> IO[bytes]:
    """Opens a path or fsspec URL for reading bytes.

    Raises:
        SourceError: when the URL's file system is not available or the file can't be opened.
    """
    if "://" not in path:
        return open(path, "rb")
    filesystem, inner = file_system(path)
    try:
        return cast(IO[bytes], filesystem.open(inner, "rb"))
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{path}: can't be opened ({type(error).__name__}: {error})") from error


def file_system(url: str) -> tuple[Any, str]:
    """Returns the fsspec file system of a URL and the path inside it.

    Raises:
        SourceError: when the package that serves the protocol is missing.
    """
    import fsspec

    try:
        return cast(tuple[Any, str], fsspec.core.url_to_fs(url))
    except (ImportError, ValueError) as error:
        raise SourceError(f"{url}: no file system for {url.split('://')[0]}:// ({error})") from error


def chunks(file: SourceFile, start: int = 0, end: int = -1, size: int = CHUNK) -> Iterator[bytes]:
    """Yields the file's decompressed bytes, from ``start`` to ``end`` (-1: to its end) for uncompressed files.

    Raises:
        DamagedFile: after the last good byte of a truncated or corrupt compressed file.
    """
    with open_binary(file.path) as stream:
        if file.compression:
            yield from _gathered(_decompressed(stream, file.compression), size)
            return
        if start:
            stream.seek(start)
        left = end - start if end >= 0 else -1
        while left and (chunk := stream.read(size if left < 0 else min(size, left))):
            left -= len(chunk) if left > 0 else 0
            yield chunk


def _gathered(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    held: list[bytes] = []
    total = 0
    damage: DamagedFile | None = None
    try:
        for piece in pieces:
            held.append(piece)
            total += len(piece)
            if total >= size:
                yield b"".join(held)
                held, total = [], 0
    except DamagedFile as error:
        damage = error
    if total:
        yield b"".join(held)
    if damage is not None:
        raise damage


def _decompressor(compression: str) -> Any:
    return zlib.decompressobj(31) if compression == "gz" else zstandard.ZstdDecompressor().decompressobj()


def _decompressed(stream: IO[bytes], compression: str) -> Iterator[bytes]:
    """Decompresses members (gzip) or frames (zstandard) one after another."""
    machine = _decompressor(compression)
    fed = False
    while piece := stream.read(_PIECES[compression]):
        while piece:
            if machine.eof:
                if not piece.strip(b"\0"):
                    break
                machine, fed = _decompressor(compression), False
            try:
                out = machine.decompress(piece)
            except (zlib.error, zstandard.ZstdError) as error:
                raise DamagedFile("corrupt_file", f"{compression} data: {error}") from error
            fed = True
            if out:
                yield out
            piece = machine.unused_data if machine.eof else b""
    if fed and not machine.eof:
        raise DamagedFile("truncated_file", f"the {compression} stream ends before its end mark")


def _mark_bad(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _MARK, error.end


codecs.register_error("curate.mark", _mark_bad)


def transcoded(encoding: str) -> bool:
    """Returns whether files of this encoding are read through a UTF-8 copy, because a newline is not one byte."""
    return encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32"))


def as_utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yields the bytes re-encoded as UTF-8, without byte order mark; what can't be decoded becomes a byte sequence
    that is not UTF-8 either, so the record it is in is refused.
    """
    decoder = codecs.getincrementaldecoder(encoding)("curate.mark")
    first = True
    for piece in pieces:
        text = decoder.decode(piece)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text.encode("utf-8", "surrogatepass")
    if rest := decoder.decode(b"", final=True):
        yield rest.encode("utf-8", "surrogatepass")


def bom_length(head: bytes, encoding: str) -> int:
    """Returns how many bytes of byte order mark the head starts with."""
    mark = _BOMS.get(encoding, b"")
    return len(mark) if mark and head.startswith(mark) else 0
