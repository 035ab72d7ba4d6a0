"""The compiled loop over lines of plain chats: texts, roles, other fields and canonical JSON in one pass over the bytes.

Places in hot loops are unsigned: numba then need not ask whether they count from the end. A cursor goes through the
bytes; every function takes where it stands and returns where it went, `NOT_PLAIN` when there
is something it does not know. Every line ends in a newline byte, which ends every search too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.compiled import njit
from curate.rows import ROLES
from curate.utf8 import put_bytes, put_code_point

Array = np.ndarray[Any, Any]

NOT_PLAIN = -1
MAX_FIELDS = 32
MAX_DIGITS = 18
"""Digits of an integer that surely fits 64 bits."""
LEAST_MESSAGE = len('{"role":"user","content":""},')
LEAST_LINE = len('{"":[{"role":"user","content":"x"}]}\n')

_NEWLINE, _QUOTE, _BACKSLASH, _COMMA, _COLON, _MINUS = np.uint8(10), np.uint8(34), 92, 44, 58, 45
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _ZERO, _NINE, _U, _LOW_A = 123, 125, 91, 93, 48, 57, 117, 97

_STOPS = np.zeros(256, np.bool_)
_STOPS[[*range(0x20), 34, 92]] = True
"""Bytes that end a stretch of a string that stands for itself."""
_SHORT = np.zeros(256, np.uint8)
_SHORT[[*b'"\\/bfnrt']] = [*b'"\\/\b\f\n\r\t']
"""What a letter after a backslash stands for."""
_LETTER = np.zeros(256, np.uint8)
_LETTER[[*b'"\\\b\f\n\r\t']] = [*b'"\\bfnrt']
"""The letter by which a character is written after a backslash."""
_HEX = np.full(256, 255, np.uint8)
_HEX[[*b"0123456789abcdefABCDEF"]] = [*range(16), *range(10, 16)]


def _bytes(text: bytes) -> Array:
    return np.frombuffer(text, np.uint8)


_ROLE_TEXTS = _bytes("".join(ROLES).encode())
_ROLE_ENDS = np.cumsum([0, *map(len, ROLES)])
_ROLE, _CONTENT = _bytes(b"role"), _bytes(b"content")
_TRUE, _FALSE, _NULL = _bytes(b"true"), _bytes(b"false"), _bytes(b"null")
_HEAD, _TAIL = _bytes(b'{"kind":"chat","messages":['), _bytes(b"]}")
_BEFORE, _BETWEEN, _AFTER = _bytes(b'{"content":"'), _bytes(b'","role":"'), _bytes(b'"}')


@njit(cache=True, nogil=True)
def _blanks(data: Array, at: int) -> int:
    while data[at] == 32 or data[at] == 9 or data[at] == 13:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _token(data: Array, at: int, byte: int) -> int:
    """Steps over blanks, one byte and blanks."""
    if at < 0:
        return at
    at = _blanks(data, at)
    return _blanks(data, at + 1) if data[at] == byte else NOT_PLAIN


@njit(cache=True, nogil=True)
def _same(data: Array, at: int, end: int, text: Array) -> bool:
    i = 0 if end - at == text.size else -1
    while 0 <= i < text.size and data[at + i] == text[i]:
        i += 1
    return i == text.size


@njit(cache=True, nogil=True)
def _stretch(data: Array, at: int) -> int:
    """Returns where a stretch of a string that stands for itself ends."""
    end = np.uintp(at)
    while not _STOPS[data[end]]:
        end += np.uintp(1)
    return int(np.int64(end))


@njit(cache=True, nogil=True)
def _key(data: Array, at: int) -> tuple[int, int]:
    """Returns the bounds of the text of a key without escapes."""
    if data[at] != _QUOTE:
        return at, NOT_PLAIN
    end = _stretch(data, at + 1)
    return at + 1, end if data[end] == _QUOTE else NOT_PLAIN


@njit(cache=True, nogil=True)
def _four(data: Array, at: int) -> int:
    """Returns the number four hexadecimal digits stand for."""
    code = 0
    for i in range(4):
        digit = _HEX[data[at + i]]
        if digit == 255:
            return NOT_PLAIN
        code = code << 4 | digit
    return code


@njit(cache=True, nogil=True)
def _escape(data: Array, at: int) -> tuple[int, int]:
    """Returns the character an escape stands for, and where it ends; `at` is behind the backslash."""
    if data[at] != _U:
        code = int(_SHORT[data[at]])
        return code, at + 1 if code else NOT_PLAIN
    code, at = _four(data, at + 1), at + 5
    if 0xD800 <= code < 0xDC00 and data[at] == _BACKSLASH and data[at + 1] == _U:
        low = _four(data, at + 2)
        if low < 0xDC00 or low >= 0xE000:
            return code, NOT_PLAIN
        return 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00, at + 6
    return code, NOT_PLAIN if code < 0 or 0xD800 <= code < 0xE000 else at


@njit(cache=True, nogil=True)
def _spell(out: Array, to: int, code: int) -> int:
    """Writes a character that was escaped as `orjson` writes it in a string."""
    if code >= 0x20 and code != _QUOTE and code != _BACKSLASH:
        return int(np.int64(put_code_point(out, np.uintp(to), code)))
    out[to] = _BACKSLASH
    if _LETTER[code]:
        out[to + 1] = _LETTER[code]
        return to + 2
    out[to + 1], out[to + 2], out[to + 3], out[to + 4] = _U, _ZERO, _ZERO, _ZERO + (code >> 4)
    out[to + 5] = _ZERO + (code & 15) if code & 15 < 10 else _LOW_A + (code & 15) - 10
    return to + 6


@njit(cache=True, nogil=True)
def _string(data: Array, at: int, text: Array, said: int, json: Array, to: int) -> tuple[int, int, int]:
    """Writes a string's text, and its canonical JSON without the quotes; `at` is behind the opening quote.

    Returns where it ends, behind the closing quote, and where the text and the JSON end.
    """
    while True:
        start, at = at, _stretch(data, at)
        said, to = put_bytes(text, said, data, start, at), put_bytes(json, to, data, start, at)
        if data[at] == _QUOTE:
            return at + 1, said, to
        if data[at] != _BACKSLASH:
            return NOT_PLAIN, said, to
        code, at = _escape(data, at + 1)
        if at < 0:
            return NOT_PLAIN, said, to
        said, to = int(np.int64(put_code_point(text, np.uintp(said), code))), _spell(json, to, code)


@njit(cache=True, nogil=True)
def _role(data: Array, at: int) -> tuple[int, int]:
    """Returns the number of a role and where it ends, behind the closing quote."""
    at, end = _key(data, at)
    if end < 0:
        return 0, NOT_PLAIN
    for role in range(_ROLE_ENDS.size - 1):
        if _same(data, at, end, _ROLE_TEXTS[_ROLE_ENDS[role] : _ROLE_ENDS[role + 1]]):
            return role, end + 1
    return 0, NOT_PLAIN


@njit(cache=True, nogil=True)
def _message(data: Array, at: int, text: Array, said: int, json: Array, to: int) -> tuple[int, int, int, int]:
    """Reads an object of a role and a content; returns where it ends, its role, and where text and JSON end."""
    at = _token(data, at, _OPEN)
    to = put_bytes(json, to, _BEFORE, 0, _BEFORE.size)
    role, content = -1, False
    for field in range(2):
        if field:
            at = _token(data, at, _COMMA)
        if at < 0:
            return NOT_PLAIN, 0, said, to
        start, end = _key(data, at)
        at = _token(data, end + 1, _COLON) if end >= 0 else NOT_PLAIN
        if at < 0:
            return NOT_PLAIN, 0, said, to
        if role < 0 and _same(data, start, end, _ROLE):
            role, at = _role(data, at)
        elif not content and data[at] == _QUOTE and _same(data, start, end, _CONTENT):
            at, said, to = _string(data, at + 1, text, said, json, to)
            content = True
        else:
            at = NOT_PLAIN
    at = _token(data, at, _CLOSE)
    if at < 0:
        return NOT_PLAIN, 0, said, to
    to = put_bytes(json, to, _BETWEEN, 0, _BETWEEN.size)
    to = put_bytes(json, to, _ROLE_TEXTS, _ROLE_ENDS[role], _ROLE_ENDS[role + 1])
    return at, role, said, put_bytes(json, to, _AFTER, 0, _AFTER.size)


@njit(cache=True, nogil=True)
def _readable(text: Array, at: int, end: int) -> bool:
    """Tells whether a text surely holds something but blanks: True leaves no doubt."""
    while at < end:
        lead = text[at]
        if lead < 0x80:
            if lead > 0x20:
                return True
            at += 1
        elif (
            lead == 0xC2
            or lead == 0xE1
            or lead == 0xE2
            or (lead == 0xE3 and text[at + 1] == 0x80 and text[at + 2] == 0x80)
        ):
            at += 2 if lead < 0xE0 else 3
        else:
            return True
    return False


@njit(cache=True, nogil=True)
def _messages(
    data: Array, at: int, text: Array, said: int, ends: Array, roles: Array, count: int, json: Array, to: int
) -> tuple[int, int, int]:
    """Reads a list of messages; returns where it ends, how many messages there are now, and where the JSON ends."""
    at = _token(data, at, _OPEN_LIST)
    first = count
    while at >= 0:
        if count > first:
            json[to] = _COMMA
            to += 1
        at, role, end, to = _message(data, at, text, said, json, to)
        if at < 0 or (count == first and not _readable(text, said, end)):
            break
        said = end
        ends[count], roles[count] = said, role
        count += 1
        if data[at] == _CLOSE_LIST:
            return at + 1, count, to
        at = _token(data, at, _COMMA)
    return NOT_PLAIN, count, to


@njit(cache=True, nogil=True)
def _integer(data: Array, at: int) -> int:
    """Returns where an integer of 64 bits ends."""
    negative = data[at] == _MINUS
    at += negative
    start = at
    while _ZERO <= data[at] <= _NINE:
        at += 1
    leading = data[start] == _ZERO and (at - start > 1 or negative)
    more = data[at] == 46 or data[at] == 101 or data[at] == 69  # . e E
    return NOT_PLAIN if at == start or at - start > MAX_DIGITS or leading or more else at


@njit(cache=True, nogil=True)
def _value(data: Array, at: int, text: Array, said: int, meta: Array, to: int) -> tuple[int, int]:
    """Writes a text, integer or truth value as canonical JSON; ``text`` from ``said`` on is scratch."""
    if data[at] == _QUOTE:
        meta[to] = _QUOTE
        at, _, to = _string(data, at + 1, text, said, meta, to + 1)
        meta[to] = _QUOTE
        return at, to + 1
    end = NOT_PLAIN
    if _same(data, at, at + _TRUE.size, _TRUE):
        end = at + _TRUE.size
    elif _same(data, at, at + _FALSE.size, _FALSE):
        end = at + _FALSE.size
    else:
        end = _integer(data, at)
    return end, put_bytes(meta, to, data, at, end) if end >= 0 else to


@njit(cache=True, nogil=True)
def _new(data: Array, start: int, end: int, keys: Array, known: int) -> bool:
    """Tells whether a key is none of those known."""
    key = 0
    while key < known and not _same(data, start, end, data[keys[key, 0] : keys[key, 1]]):
        key += 1
    return key == known


@njit(cache=True, nogil=True)
def _line(
    data: Array,
    at: int,
    column: Array,
    keys: Array,
    text: Array,
    said: int,
    ends: Array,
    roles: Array,
    count: int,
    json: Array,
    to: int,
    meta: Array,
    kept: int,
) -> tuple[int, int, int, int]:
    """Reads one line; returns where it ends, how many messages there are, and where the JSON and the meta end."""
    at = _token(data, at, _OPEN)
    first, known, found = kept, 0, False
    while at >= 0 and known < MAX_FIELDS:
        start, end = _key(data, at)
        at = _token(data, end + 1, _COLON) if end >= 0 else NOT_PLAIN
        if at < 0 or not _new(data, start, end, keys, known):
            return NOT_PLAIN, count, to, kept
        keys[known, 0], keys[known, 1] = start, end
        known += 1
        if _same(data, start, end, column):
            at, count, to = _messages(data, at, text, said, ends, roles, count, json, to)
            said, found = ends[count - 1] if count else 0, True
        elif _same(data, at, at + _NULL.size, _NULL):
            at += _NULL.size
        else:
            meta[kept] = _COMMA if kept > first else _OPEN
            kept = put_bytes(meta, kept + 1, data, start - 1, end + 1)
            meta[kept] = _COLON
            at, kept = _value(data, at, text, said, meta, kept + 1)
        if at < 0:
            return NOT_PLAIN, count, to, kept
        at = _blanks(data, at)
        if data[at] == _CLOSE:
            at = _blanks(data, at + 1)
            if kept > first:
                meta[kept] = _CLOSE
                kept += 1
            return at if found and data[at] == _NEWLINE else NOT_PLAIN, count, to, kept
        at = _token(data, at, _COMMA)
    return NOT_PLAIN, count, to, kept


@njit(cache=True, nogil=True)
def read_lines(data: Array, column: Array, head: Array) -> Any:
    """Reads the lines of ``data`` (uint8, its last byte a newline), ``column`` the name of the messages' field.

    Returns the bytes of all contents and where each ends; the role of each message as its place in `ROLES`; what is
    hashed of the lines (``head``, the length in eight bytes, canonical JSON); the JSON of the lines' other fields; and
    up to each line, and to the end of the last, the number of messages, of hashed bytes, of bytes of other fields and of
    bytes of ``data``. None of them holds anything when a line is no plain chat.
    """
    most, lines = data.size // LEAST_MESSAGE + 1, data.size // LEAST_LINE + 1
    text, ends, roles = np.empty(data.size, np.uint8), np.empty(most, np.int64), np.empty(most, np.uint8)
    room = head.size + 8 + _HEAD.size + _TAIL.size
    json, meta = np.empty(data.size + lines * room, np.uint8), np.empty(data.size + 1, np.uint8)
    bounds, keys = np.empty((4, lines + 1), np.int64), np.empty((MAX_FIELDS, 2), np.int64)
    bounds[:, 0] = 0
    at, said, count, to, kept, line = 0, 0, 0, 0, 0, 0
    while at < data.size:
        to = put_bytes(json, to, head, 0, head.size)
        measured = to
        to = put_bytes(json, to + 8, _HEAD, 0, _HEAD.size)
        before = count
        at, count, to, kept = _line(data, at, column, keys, text, said, ends, roles, count, json, to, meta, kept)
        if at < 0 or count == before:
            return text[:0], ends[:0], roles[:0], json[:0], meta[:0], bounds[:, :0]
        to = put_bytes(json, to, _TAIL, 0, _TAIL.size)
        for byte in range(8):
            json[measured + byte] = (to - measured - 8) >> (8 * byte) & 255
        at, said = at + 1, ends[count - 1]
        line += 1
        bounds[0, line], bounds[1, line], bounds[2, line], bounds[3, line] = count, to, kept, at
    return text[:said], ends[:count], roles[:count], json[:to], meta[:kept], bounds[:, : line + 1]
