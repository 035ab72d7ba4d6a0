"""The careful pass of redact_pii: finds personal data in one text and checks it with the numbering plans' own rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from curate.stages.safety.pii_candidates import PROVINCES, narrow
from curate.stages.safety.pii_phones import phones

Type = Literal["CREDENTIALS", "SECRET", "EMAIL", "IBAN", "ID_CARD", "BANK_CARD", "IP", "PHONE", "PLATE"]
TYPES: tuple[Type, ...] = ("CREDENTIALS", "SECRET", "EMAIL", "IBAN", "ID_CARD", "BANK_CARD", "IP", "PHONE", "PLATE")
"""All types in the order in which they claim a place; what an earlier one took no later one sees."""


@dataclass(frozen=True)
class Found:
    """One piece of personal data: its place in the text and a spelling by which equal values are known."""

    start: int
    end: int
    type: Type
    value: str


Match = tuple[int, int, str]

_NOT_BEFORE = r"(?<![0-9A-Za-z_])(?<![0-9][.\-])(?<![A-Z]-)"
_NOT_AFTER = r"(?![0-9A-Za-z_]|[.\-][0-9])"

_CREDENTIALS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://([^\s/@:\"'<>]*:[^\s/@\"'<>]+|[A-Za-z0-9_\-]{16,})@")
_SECRET = re.compile(
    r"[?&](access_?token|refresh_?token|id_?token|token|api_?key|apikey|access_?key|key|client_?secret|secret|password"
    r"|passwd|pwd|sig|signature|auth|session_?id|session)=([A-Za-z0-9%._~+/\-=]{4,})",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9_%+])[A-Za-z0-9_%+](?:[A-Za-z0-9._%+\-]{0,63})@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,62})\.)+[A-Za-z]{2,24}"
    r"(?![A-Za-z0-9])"
)
_IBAN = re.compile(
    rf"{_NOT_BEFORE}[A-Za-z]{{2}}[0-9]{{2}}(?: ?[A-Za-z0-9]{{4}}){{2,7}}(?: ?[A-Za-z0-9]{{1,3}})?(?![A-Za-z0-9])"
)
_ID_CARD = re.compile(rf"{_NOT_BEFORE}[1-8][0-9]{{5}}[ -]?(?:18|19|20)[0-9]{{6}}[ -]?[0-9]{{3}}[0-9Xx]{_NOT_AFTER}")
_CARD = re.compile(
    rf"{_NOT_BEFORE}(?:[0-9]{{13,19}}|[0-9]{{4}}(?P<gap>[ -])[0-9]{{4}}(?:(?P=gap)[0-9]{{4}}){{1,2}}(?:(?P=gap)[0-9]{{1,4}})?"
    rf"|[0-9]{{4}}[ -][0-9]{{6}}[ -][0-9]{{5}}){_NOT_AFTER}"
)
_ISSUED = re.compile(
    r"62[0-9]{14,17}|4(?:[0-9]{12}|[0-9]{15})|(?:5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720))[0-9]+|3[47][0-9]{13}"
    r"|35[0-9]{14}|3(?:0[0-5]|[68][0-9])[0-9]{11}|6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}"
)
_IPV4 = re.compile(r"(?<![0-9A-Za-z_.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z_]|[.\-][0-9])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z_:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z_:])")
_PLATE = re.compile(
    rf"([{PROVINCES}])[A-HJ-NP-Za-hj-np-z][·•・ -]?(?:[DFdf][A-HJ-NP-Za-hj-np-z0-9][0-9]{{4}}|[0-9]{{5}}[DFdf]"
    r"|[A-HJ-NP-Za-hj-np-z0-9]{4}[A-HJ-NP-Za-hj-np-z0-9挂学警港澳])"
    r"(?![A-Za-z0-9])"
)

ORDERED = re.compile(
    r"(?:订单|訂單|单号|單號|运单|運單|快递|快遞|物流|流水|编号|編號|序列|货号|貨號|条码|工单|批次|发票|合同|票号|商品|型号"
    r"|sku|order|tracking|invoice|serial|isbn)(?:号码|號碼|号|號|編號|编号|number|num|no)?\.?\s*(?:是|为|為|is)?"
    r"[\s:：#＃=]*[A-Za-z]{0,3}$",
    re.IGNORECASE,
)
"""What stands right before a number that counts things, not people."""
_CARD_WORDS = re.compile(r"(?:卡|账号|帳號|账户|帳戶|card|account|visa|master|银联)[^0-9]{0,12}$", re.IGNORECASE)
_VERSION = re.compile(
    r"(?:版本|固件|升级到?|更新到?|ver(?:sion)?|firmware|build|release|章节|第)(?:号|號)?\.?\s*(?:是|为|is|to)?[\s:：]*$",
    re.IGNORECASE,
)
_ADDRESS_WORDS = re.compile(
    r"(?:ip|地址|服务器|主机|网关|host|server|ping|dns|gateway|address|://)[^0-9]{0,12}$", re.IGNORECASE
)
_PLATE_WORDS = re.compile(r"(?:车|車|牌)[^0-9A-Za-z]{0,6}$")
_NAMES_TOO = "云新贵宁青川黑吉蒙"
"""Provinces whose character often ends or starts another word."""


_WEAK_NAMES = ("key", "auth", "sig", "session")
"""Names of query parameters that often hold no secret."""


def _credentials(text: str) -> Iterator[Match]:
    for match in _CREDENTIALS.finditer(text):
        yield match.start(1), match.end(1), match.group(1)


def _secrets(text: str) -> Iterator[Match]:
    for match in _SECRET.finditer(text):
        name, value = match.group(1).lower(), match.group(2)
        if name not in _WEAK_NAMES or (len(value) >= 8 and any(character.isdigit() for character in value)):
            yield match.start(2), match.end(2), value


def _emails(text: str) -> Iterator[Match]:
    for match in _EMAIL.finditer(text):
        yield match.start(), match.end(), match.group().lower()


def _ibans(text: str) -> Iterator[Match]:
    for match in _IBAN.finditer(text):
        ends = [match.end(), *(match.start() + at for at in _spaces(match.group()))]
        for end in ends:
            if _valid("stdnum.iban", text[match.start() : end]):
                yield match.start(), end, text[match.start() : end].replace(" ", "").upper()
                break


def _spaces(text: str) -> list[int]:
    return [at for at in range(len(text) - 1, 0, -1) if text[at] == " "]


def _id_cards(text: str) -> Iterator[Match]:
    for match in _ID_CARD.finditer(text):
        number = _digits(match.group())
        if _valid("stdnum.cn.ric", number):
            yield match.start(), match.end(), number


def _cards(text: str) -> Iterator[Match]:
    for match in _CARD.finditer(text):
        number, before = _digits(match.group()), text[max(0, match.start() - 24) : match.start()]
        if not 13 <= len(number) <= 19 or not _valid("stdnum.luhn", number) or len(set(number)) == 1:
            continue
        if _CARD_WORDS.search(before) or (_ISSUED.fullmatch(number) and not ORDERED.search(before)):
            yield match.start(), match.end(), number


def _digits(text: str) -> str:
    return text.replace(" ", "").replace("-", "").upper()


def _addresses(text: str) -> Iterator[Match]:
    for match in _IPV4.finditer(text):
        before = text[max(0, match.start() - 24) : match.start()]
        small = all(len(part) == 1 for part in match.group().split("."))
        if _VERSION.search(before) or (small and not _ADDRESS_WORDS.search(before)):
            continue
        yield from _address(match)
    for match in _IPV6.finditer(text):
        groups = [part for part in match.group().split(":") if part]
        if len(groups) >= 3 and any(character.isdigit() for character in match.group()):
            yield from _address(match)


def _address(match: re.Match[str]) -> Iterator[Match]:
    """A host's address: not a loopback, a mask, or one that stands for many."""
    try:
        address = ipaddress.ip_address(match.group())
    except ValueError:
        return
    if not (address.is_loopback or address.is_unspecified or address.is_multicast or match.group().startswith("255.")):
        yield match.start(), match.end(), str(address)


def _plates(text: str) -> Iterator[Match]:
    for match in _PLATE.finditer(text):
        before = text[max(0, match.start() - 10) : match.start()]
        if sum(character.isdigit() for character in match.group()) < 3:
            continue
        word = match.group(1) in _NAMES_TOO and bool(before) and "\u4e00" <= before[-1] <= "\u9fff"
        if not word or _PLATE_WORDS.search(before):
            yield match.start(), match.end(), re.sub("[·•・ -]", "", match.group()).upper()


def _valid(module: str, number: str) -> bool:
    return bool(_checker(module)(number))


@cache
def _checker(module: str) -> Callable[[str], Any]:
    from importlib import import_module

    checker: Callable[[str], Any] = import_module(module).is_valid
    return checker


Finder = Callable[[str, str], Iterator[Match]]

_FINDERS: dict[Type, Finder] = {
    "CREDENTIALS": lambda text, region: _credentials(text),
    "SECRET": lambda text, region: _secrets(text),
    "EMAIL": lambda text, region: _emails(text),
    "IBAN": lambda text, region: _ibans(text),
    "ID_CARD": lambda text, region: _id_cards(text),
    "BANK_CARD": lambda text, region: _cards(text),
    "IP": lambda text, region: _addresses(text),
    "PHONE": lambda text, region: phones(text, region, ORDERED),
    "PLATE": lambda text, region: _plates(text),
}


def find(text: str, types: tuple[Type, ...], region: str) -> list[Found]:
    """Returns the personal data in a text by place; where two types overlap, the earlier of TYPES has it."""
    flat = narrow(text)
    found: list[Found] = []
    for kind in TYPES:
        if kind in types:
            for start, end, value in _FINDERS[kind](flat, region):
                if all(end <= other.start or start >= other.end for other in found):
                    found.append(Found(start, end, kind, value))
    return sorted(found, key=lambda item: item.start)
