"""Finds phone numbers: written shapes first, then the numbering plan of the country decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_LABELS = "".join(f"|(?<={word})" for word in ("tel", "Tel", "TEL", "phone", "vx", "VX", "wx", "WX"))
_NOT_BEFORE = rf"(?:(?<![0-9A-Za-z_+])(?<![0-9][.\-])(?<![A-Z]-){_LABELS})"
_NOT_AFTER = r"(?![0-9A-Za-z_]|\.[0-9]|-[0-9]{5})"

_INTERNATIONAL = re.compile(r"(?<![0-9A-Za-z_+])(?:\+|00)[1-9][0-9]{0,2}(?:[ ().\-]{0,2}[0-9]){6,13}(?![0-9])")
_CHINA = re.compile(
    rf"{_NOT_BEFORE}(?:(?:\(?86[) -]{{0,2}})?1[3-9][0-9](?:[ -]?[0-9]{{4}}[ -]?[0-9]{{4}}|[ -][0-9]{{3}}[ -][0-9]{{5}})"
    r"|\(?0[1-9][0-9]{1,2}\)?[ -]{0,2}[1-9][0-9]{2,3}[ -]?[0-9]{4}"
    rf"|[48]00[ -]?[0-9]{{3,4}}[ -]?[0-9]{{3,4}}){_NOT_AFTER}(?!\.?[0-9]*\s?(?:元(?![旦宵月])|块|圆|美元))"
)
_ELSEWHERE = re.compile(
    rf"{_NOT_BEFORE}(?:\(?[0-9]{{2,5}}\)?(?:[ -][0-9]{{2,8}}){{1,4}}|\(?[0-9]{{3}}\)?[ .]?[0-9]{{3}}\.[0-9]{{4}}|[0-9]{{8,12}}){_NOT_AFTER}"
)
_LOCAL = re.compile(rf"{_NOT_BEFORE}[2-9][0-9]{{6,7}}{_NOT_AFTER}")
_LOCAL_WORDS = re.compile(
    r"(?:电话|電話|座机|座機|固话|热线|熱線|传真|tel|phone|fax)(?:号码|號碼|号|號)?[:：是为為就\s]{0,3}$", re.IGNORECASE
)
_ALSO = re.compile(r"[,，、/和或及\s]{1,2}")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-./ ]?[01]?[0-9][-./ ]?[0-3]?[0-9]")
_PHONE_WORDS = re.compile(
    r"(?:电话|電話|手机|手機|号码|號碼|联系|聯繫|致电|拨打|tel|phone|call|mobile|cell|whatsapp|fax|contact)[^0-9]{0,15}$",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    "(?<![零〇一二三四五六七八九幺])[一幺][零〇一二三四五六七八九幺]{10}(?![零〇一二三四五六七八九幺十百千万])"
)
_SPOKEN_DIGITS = str.maketrans("零〇一二三四五六七八九幺", "001234567891")


def phones(text: str, region: str, ordered: re.Pattern[str]) -> Iterator[tuple[int, int, str]]:
    """Yields start, end and international form of the numbers that are valid in the region or anywhere with a +.

    A number right after words that ``ordered`` matches counts things and is none, unless it is written with a +.
    """
    for match in _INTERNATIONAL.finditer(text):
        yield from _trimmed(text, match.start(), match.end(), region)
    for match in (_CHINA if region == "CN" else _ELSEWHERE).finditer(text):
        before = text[max(0, match.start() - 24) : match.start()]
        if ordered.search(before) or (region != "CN" and not _looks_dialled(match.group(), before)):
            continue
        number = _international(match.group(), region)
        if number:
            yield match.start(), match.end(), number
    if region == "CN":
        yield from _local(text)
    for match in _SPOKEN.finditer(text):
        number = _international(match.group().translate(_SPOKEN_DIGITS), region)
        if number:
            yield match.start(), match.end(), number


def _local(text: str) -> Iterator[tuple[int, int, str]]:
    """Chinese numbers without an area code: right after a word such as 电话, or in a list that follows one."""
    last = -1
    for match in _LOCAL.finditer(text):
        listed = last >= 0 and _ALSO.fullmatch(text, last, match.start()) is not None
        if listed or _LOCAL_WORDS.search(text[max(0, match.start() - 16) : match.start()]):
            last = match.end()
            yield match.start(), match.end(), match.group()


def _looks_dialled(number: str, before: str) -> bool:
    """Numbers without separators need a word such as phone before them; dates are none."""
    if _DATE.match(number):
        return False
    return not number.isdigit() or _PHONE_WORDS.search(before) is not None


def _trimmed(text: str, start: int, end: int, region: str) -> Iterator[tuple[int, int, str]]:
    """The longest valid number that starts there: what follows a space or dash may not belong to it."""
    while end - start >= 7:
        number = _international(text[start:end], region)
        if number:
            yield start, end, number
            return
        cut = max(text.rfind(" ", start, end), text.rfind("-", start, end))
        end = cut if cut > start else start


@lru_cache(maxsize=65536)
def _international(number: str, region: str) -> str | None:
    """Returns the E.164 form of a valid number, else None."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
