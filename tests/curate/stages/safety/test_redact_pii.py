"""Behaviour of redact_pii: what is personal data, what only looks like it, and how it is replaced."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.stages.safety.pii_candidates import candidates
from curate.stages.safety.pii_finders import TYPES, find
from curate.stages.safety.pii_known import spellings
from curate.stages.safety.redact_pii import RedactPii

Build = Callable[..., pl.DataFrame]
Said = Callable[[pl.Series], list[Any]]

PERSONAL = [
    ("我手机13812345678，有事打", "我手机[PHONE_1]，有事打"),
    ("138-1234-5678或者138 1234 5678", "[PHONE_1]或者[PHONE_1]"),
    ("手机号：１３８１２３４５６７８。", "手机号：[PHONE_1]。"),
    ("号码是幺三八一二三四五六七八", "号码是[PHONE_1]"),
    ("+86 13812345678 12号到", "[PHONE_1] 12号到"),
    ("(13812345678)元旦前", "([PHONE_1])元旦前"),
    ("tel13812345678/13912345678", "tel[PHONE_1]/[PHONE_2]"),
    ("座机010-62881144转8", "座机[PHONE_1]转8"),
    ("(0755) 2688 1144-801", "[PHONE_1]-801"),
    ("打400-820-8820", "打[PHONE_1]"),
    ("电话是67010327、67010328，地址在", "电话是[PHONE_1]、[PHONE_2]，地址在"),
    ("香港+852 2345 6789", "香港[PHONE_1]"),
    ("邮箱zhang.san@qq.com谢谢", "邮箱[EMAIL_1]谢谢"),
    ("_a.b+c@Mail.example.co.uk.", "[EMAIL_1]."),
    ("我的IP是192.168.1.23:8080", "我的IP是[IP_1]:8080"),
    ("ping 8.8.8.8", "ping [IP_1]"),
    ("地址 2001:db8::ff00:42:8329", "地址 [IP_1]"),
    ("https://bob:s3cret@git.example.com/a", "https://[CREDENTIALS_1]@git.example.com/a"),
    ("https://a.cn/x?uid=3&access_token=abc123&b=1", "https://a.cn/x?uid=3&access_token=[SECRET_1]&b=1"),
    ("身份证11010519491231002x好", "身份证[ID_CARD_1]好"),
    ("110105 19491231 002X", "[ID_CARD_1]"),
    ("4111 1111 1111 1111", "[BANK_CARD_1]"),
    ("卡号6222021001116245702", "卡号[BANK_CARD_1]"),
    ("储蓄卡 9558800000000000000", "储蓄卡 [BANK_CARD_1]"),
    ("GB82 WEST 1234 5698 7654 32 please", "[IBAN_1] please"),
    ("DE89370400440532013000", "[IBAN_1]"),
    ("车牌京A12345", "车牌[PLATE_1]"),
    ("粤B·D12345和沪AD12345", "[PLATE_1]和[PLATE_2]"),
    ("我的车是云A88888", "我的车是[PLATE_1]"),
]
NOT_PERSONAL = [
    "订单号 20240315123456789",
    "订单号13812345678",
    "订单编号：4111111111111111",
    "运单SF1234567890123，快递单号75312345678901",
    "1234.56元，共12345678元",
    "13812345678元",
    "2024-03-15 12:30:45，2024031512",
    "2024年3月15日到2025年1月1日",
    "SKU 6901234567892，货号: 1234567890123456",
    "版本1.2.3.4，v10.0.0.12，Version 2.10.30.4",
    "见1.2.3.4节",
    "127.0.0.1 和 255.255.255.0 和 0.0.0.0",
    "10.0.0.256",
    "110105194912310021",
    "6222021001116245703",
    "4111111111111112",
    "GB82WEST12345698765433",
    "圆周率3.14159265358979",
    "std::vector a::b 12:30:45",
    "@张三 user@localhost",
    "阿里云A12345，新F150皮卡",
    "话费20240315元，电话费67010327",
    "人均500-1000元，2018-02-14至2018-02-16",
    "10086 和 95588 和 110",
    "尾号5678，QQ 123456789",
    "?key=value&page=2",
    "ssh://git@host/x",
    "一二三四五六七八九",
    "00:1A:2B:3C:4D:5E",
    "0.13812345678",
]


def _redacted(make_chats: Build, text: str, **parameters: Any) -> str:
    edited = RedactPii(**parameters).edit(make_chats([("u", text), ("a", "好")]))
    return edited.rows["messages"][0][0]["content"] if edited.rows.height else text


@pytest.mark.parametrize(("text", "wanted"), PERSONAL, ids=[text for text, _ in PERSONAL])
def test_replaces_personal_data(make_chats: Build, text: str, wanted: str) -> None:
    """Each kind of personal data gets its typed placeholder, the text around it stays."""
    assert _redacted(make_chats, text) == wanted


@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_leaves_what_only_looks_like_it(make_chats: Build, text: str) -> None:
    """Orders, prices, dates, versions and numbers with a wrong checksum stay."""
    assert _redacted(make_chats, text) == text


@pytest.mark.parametrize(
    ("text", "region", "wanted"),
    [
        ("(415) 555-2671 or 415.555.2671", "US", "[PHONE_1] or [PHONE_1]"),
        ("my phone is 4155552671", "US", "my phone is [PHONE_1]"),
        ("order 4155552671", "US", "order 4155552671"),
        ("4155552671", "US", "4155552671"),
        ("on 2024-03-15 1200, $1,234.56", "US", "on 2024-03-15 1200, $1,234.56"),
        ("020 7946 0958 is ours", "GB", "[PHONE_1] is ours"),
        ("13812345678", "US", "13812345678"),
    ],
)
def test_numbers_of_another_region(make_chats: Build, text: str, region: str, wanted: str) -> None:
    """The region says which national numbers are known; bare digits need a word such as phone."""
    assert _redacted(make_chats, text, region=region) == wanted


def test_the_same_value_has_the_same_placeholder_in_a_row(make_chats: Build, said: Said) -> None:
    """Numbers run by type through all turns of a row and start anew in the next."""
    first = [("u", "13812345678"), ("a", "好"), ("u", "不是+86 138 1234 5678，是13912345678，a@b.cn")]
    second = [("u", "13912345678"), ("a", "好")]
    edited = RedactPii().edit(make_chats(first, second))
    assert said(edited.rows["messages"]) == [
        [("u", "[PHONE_1]"), ("a", "好"), ("u", "不是[PHONE_1]，是[PHONE_2]，[EMAIL_1]")],
        [("u", "[PHONE_1]"), ("a", "好")],
    ]
    assert edited.reasons.to_list() == ["pii", "pii"]


def test_placeholders_that_are_there_are_not_used_again(make_chats: Build) -> None:
    """New numbers follow the ones an earlier redaction left."""
    assert _redacted(make_chats, "[PHONE_2] 13812345678") == "[PHONE_2] [PHONE_3]"


def test_answers_are_noted_not_changed(make_chats: Build) -> None:
    """A hotline in an answer is reported; with the assistant's role listed it is redacted instead."""
    rows = make_chats([("u", "电话多少"), ("a", "请拨打400-820-8820")], [("u", "13812345678"), ("a", "好")])
    edited = RedactPii().edit(rows)
    assert edited.origin.to_list() == [1]
    assert edited.notes.to_dicts() == [{"row": 0, "reason": "pii_in_answer"}]
    both = RedactPii(roles=("user", "assistant")).edit(rows)
    assert both.origin.to_list() == [0, 1]
    assert both.notes.is_empty()
    assert both.rows["messages"][0][1]["content"] == "请拨打[PHONE_1]"


def test_system_turns_and_documents_are_redacted_tools_are_not(make_chats: Build, make_rows: Build) -> None:
    """The default roles are system, user and document; what only a tool says stays."""
    rows = make_chats([("s", "客户13812345678"), ("u", "好"), ("t", "13912345678"), ("a", "好")])
    messages = RedactPii().edit(rows).rows["messages"][0]
    assert [m["content"] for m in messages] == ["客户[PHONE_1]", "好", "13912345678", "好"]
    document = RedactPii().edit(make_rows({"kind": "text", "text": "联系a@b.cn"}))
    assert document.rows["text"].to_list() == ["联系[EMAIL_1]"]


def test_quotes_and_code_are_redacted_too(make_chats: Build) -> None:
    """Personal data is no safer inside code or quotes."""
    assert _redacted(make_chats, "`13812345678` “a@b.cn”") == "`[PHONE_1]` “[EMAIL_1]”"


def test_allowed_values_stay(make_chats: Build) -> None:
    """Values are compared without case, spaces and dashes; patterns see the text as it is written."""
    text = "打400-820-8820、13812345678或Help@Shop.cn，别打13912345678"
    wanted = "打400-820-8820、13812345678或Help@Shop.cn，别打[PHONE_1]"
    assert _redacted(make_chats, text, allow=("4008208820", "help@shop.cn"), allow_patterns=("^138",)) == wanted


def test_only_the_wanted_types(make_chats: Build) -> None:
    """Types that are not listed stay."""
    assert _redacted(make_chats, "13812345678 a@b.cn", types=("EMAIL",)) == "13812345678 [EMAIL_1]"


def test_overlaps_go_to_the_earlier_type(make_chats: Build) -> None:
    """A password that looks like an e-mail address with its host is a credential."""
    assert _redacted(make_chats, "https://u:p@ex.com/13812345678") == "https://[CREDENTIALS_1]@ex.com/[PHONE_1]"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"region": "China"}, "unknown region 'China'; use a two-letter country code"),
        ({"allow_patterns": ("(?!x)",)}, "look-around"),
        ({"allow": ("",)}, "an empty term"),
        ({"types": ("NAME",)}, "types"),
    ],
)
def test_mistakes_are_named_before_any_row_is_read(parameters: dict[str, Any], message: str) -> None:
    """A bad parameter is refused when the stage is built."""
    with pytest.raises(ValidationError, match=re.escape(message)):
        RedactPii(**parameters)


_PARTS = st.sampled_from(
    [
        *"0123456789 -.()+@:/?=&AXxz京云车张，。元０９＠．·\n",
        *("138", "1234", "5678", "010", "400", "+86", "a@b.cn", "192.168.", "://", "u:p@", "?token=", "abcd1234", "::", "2001:db8:"),
        *("11010519491231002X", "4111111111111111", "GB82", "WEST", "京A", "12345", "D12345", "幺三八", "一二三四", "卡号", "电话", "订单号"),
        *("[PHONE_1]", "[EMAIL_7]", "版本"),
    ]
)  # fmt: skip
_TEXTS = st.lists(_PARTS, max_size=16).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.lists(_TEXTS, max_size=6))
def test_never_touches_a_text_without_candidates(texts: list[str]) -> None:
    """The cheap pass lets through every text in which the careful one finds something."""
    let_through = candidates(pl.Series(texts, dtype=pl.String)).to_list()
    for text, seen in zip(texts, let_through, strict=True):
        assert seen or not find(text, TYPES, "CN")


@settings(max_examples=150, deadline=None)
@given(st.lists(_TEXTS, min_size=1, max_size=4))
def test_only_what_was_found_is_replaced(make_rows: Build, texts: list[str]) -> None:
    """A text changes if something is found in it, and with the found values put back it is what it was."""
    rows = make_rows(*({"kind": "text", "text": text} for text in texts))
    edited = RedactPii().edit(rows)
    after = dict(zip(edited.origin, edited.rows["text"], strict=True))
    for number, text in enumerate(texts):
        found = find(text, TYPES, "CN")
        assert (number in after) == bool(found)
        known = {spelling for f in found for spelling in spellings(f.type, text[f.start : f.end], f.value)}
        values = "|".join(map(re.escape, sorted(known | {text[f.start : f.end] for f in found}, key=len, reverse=True)))
        pieces = re.split(r"(\[[A-Z_]+_\d+\])", after.get(number, text))
        shape = "".join(f"(?:{re.escape(p)}|{values})" if at % 2 else re.escape(p) for at, p in enumerate(pieces))
        assert re.fullmatch(shape, text, flags=re.DOTALL)


def test_takes_an_empty_frame(make_chats: Build) -> None:
    """No rows in, nothing proposed."""
    edited = RedactPii().edit(make_chats())
    assert (edited.rows.height, edited.drops.height, edited.notes.height) == (0, 0, 0)
