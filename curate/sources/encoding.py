"""Which text encoding a file has: UTF-8, UTF-16 or GB18030, judged from samples of its bytes.

UTF-8 is assumed unless another encoding is clearly better, so single damaged bytes never turn a file into another
language: their records are refused one by one.
"""

from __future__ import annotations

import codecs

import numpy as np

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)


def sniff(sample: bytes) -> str:
    """Returns the codec name of a sample that starts where its file starts."""
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name
    wide = _wide(sample)
    if wide:
        return wide
    utf8 = _errors(sample, "utf-8")
    if not utf8:
        return "utf-8"
    return "gb18030" if _errors(sample, "gb18030") < utf8 and _mostly_gb2312(sample) else "utf-8"


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: newlines, blanks, quotes and braces two bytes wide, and hardly any the other way round."""
    if b"\0" not in sample:
        return ""
    pairs = np.frombuffer(sample[: len(sample) // 2 * 2], dtype="<u2")
    little = int(np.isin(pairs, _COMMON).sum())
    big = int(np.isin(pairs, _COMMON << 8).sum())
    if max(little, big) <= 10 * min(little, big):
        return ""
    name = "utf-16-le" if little > big else "utf-16-be"
    return name if _errors(sample, name) <= len(pairs) // 100 + 1 else ""


_COMMON = np.frombuffer(b'\n "{:', dtype=np.uint8).astype(np.uint16)


def _errors(sample: bytes, encoding: str) -> int:
    """How many places can't be decoded; a character cut off by the sample's end is none."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    replaced = decoder.decode(sample).count("\ufffd")
    true = sample.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0
    return max(0, replaced - true)


def _mostly_gb2312(sample: bytes) -> bool:
    """Chinese text is almost all GB2312 characters; Latin text misread as GB18030 is not."""
    text = codecs.getincrementaldecoder("gb18030")("ignore").decode(sample)
    wide = [character for character in set(text) if ord(character) > 127]
    common = sum(1 for character in wide if _in_gb2312(character))
    return bool(wide) and common >= 0.5 * len(wide)


def _in_gb2312(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True
