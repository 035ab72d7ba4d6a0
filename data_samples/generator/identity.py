"""Clearly fictional identities with valid checksums: phones, ID cards, bank cards, mails, orders."""

from __future__ import annotations

import random

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_REGIONS = ("110101", "310104", "120101", "210100", "320500", "330100", "610100", "430100")
"""Real area codes that checkers know for any year; the birth years make the holders a hundred years old."""
_MAIL_WORDS = ("willow", "maple", "river", "lotus", "cloud", "amber", "pine", "stone", "harbor", "plum", "swan")
_FIRMS = ("云桥科技", "山水贸易", "百合文化", "新程物流", "麦田食品", "远帆咨询", "明月家居", "松果教育")


def digits(rng: random.Random, count: int) -> str:
    """Returns random decimal digits."""
    return "".join(str(rng.randrange(10)) for _ in range(count))


def id_card(rng: random.Random) -> str:
    """Returns an 18-character mainland ID number of a fictional centenarian, its check digit right."""
    birth = f"19{rng.randrange(0, 20):02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}"
    body = rng.choice(_REGIONS) + birth + "9" + digits(rng, 2)
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + "10X98765432"[total % 11]


def bank_card(rng: random.Random) -> str:
    """Returns a 16-digit card number that passes the Luhn check, from a range no bank issues."""
    body = "6299999" + digits(rng, 8)
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def phone_zh(rng: random.Random) -> str:
    """Returns an 11-digit mainland mobile number of a made-up block."""
    return rng.choice(("130", "138", "139", "150", "158", "186", "189")) + "0000" + digits(rng, 4)


def phone_en(rng: random.Random) -> str:
    """Returns a North American number of the 555-01xx block kept free for fiction."""
    return f"{rng.choice((202, 303, 404, 512, 617))}-555-01{digits(rng, 2)}"


def email(rng: random.Random) -> str:
    """Returns an address in a domain reserved for examples."""
    return f"{rng.choice(_MAIL_WORDS)}{digits(rng, 2)}@example.{rng.choice(('com', 'org', 'net'))}"


def order(rng: random.Random) -> str:
    """Returns an order number of ten digits."""
    return "24" + digits(rng, 8)


def badge(rng: random.Random) -> str:
    """Returns an agent's badge number of four digits."""
    return "8" + digits(rng, 3)


def company(rng: random.Random) -> str:
    """Returns the name of a made-up Chinese company."""
    return rng.choice(_FIRMS)


def small_zh(rng: random.Random) -> str:
    """Returns a Chinese digit from three to nine."""
    return rng.choice("三四五六七八九")


def tail(rng: random.Random) -> str:
    """Returns the last four digits of something."""
    return digits(rng, 4)


def small(rng: random.Random) -> str:
    """Returns a digit from 2 to 9."""
    return str(rng.randrange(2, 10))
