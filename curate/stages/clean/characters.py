"""Mends characters: mojibake, composed form, line breaks, control characters and invisible ones."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import polars as pl

_EXTRAORDINARY = "[^\\n\\t\\x20-\\x7e\u2014\u2018\u2019\u201c\u201d\u2026\u3000-\u3029\u4e00-\u9fff\uff01-\uff5e]"
"""A character that can need mending; all others are composed, visible and no mojibake by themselves.

Dashes, quotes and the ellipsis are in `ftfy`'s tables, but each of its patterns of badness needs another character too
(tested), so a text of ordinary characters alone is never bad.
"""

_JOINERS = "\u200c\u200d"
_PLAIN = r"[\x00-\x7f\p{Latin}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Cyrillic}\p{Greek}\p{P}\p{Z}\p{N}\u{ff00}-\u{ffef}]"
_EMOJI = r"\p{Extended_Pictographic}\x{1f3fb}-\x{1f3ff}\x{fe0f}\x{20e3}"
_SOUTH_EAST_ASIAN = r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_RIGHT_TO_LEFT = r"[\p{Arabic}\p{Hebrew}\p{Syriac}\p{Thaana}\p{Nko}]"


def mend_characters(text: pl.Series) -> pl.Series:
    """Returns the texts in NFC with mojibake decoded, line breaks as newlines and invisible characters gone.

    Joiners stay inside emoji and between letters of scripts that use them; marks of writing direction stay in
    right-to-left text, zero-width spaces in scripts that write no spaces.
    """
    hit = text.str.contains(_EXTRAORDINARY).arg_true()
    return text.clone().scatter(hit, _mend(text.gather(hit)))


def _mend(text: pl.Series) -> pl.Series:
    text = _decode_mojibake(text)
    text = (
        text.str.replace_all(r"\x1b\[[0-9;]*[A-Za-z]", "")
        .str.replace_all(r"\r\n|[\r\x0b\x0c\x{85}\x{2028}\x{2029}]", "\n")
        .str.replace_all(
            r"[\x00-\x08\x0e-\x1f\x7f-\x{9f}\x{ad}\x{180e}\x{2060}-\x{2064}\x{206a}-\x{206f}\x{feff}\x{fff9}-\x{fffb}]",
            "",
        )
        .str.replace_all(r"(\x{1f3f4}[\x{e0020}-\x{e007f}]+)|[\x{e0000}-\x{e007f}]", "$1")
    )
    text = _unless(text, _SOUTH_EAST_ASIAN, r"\x{200b}")
    text = _unless(text, _RIGHT_TO_LEFT, r"[\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]")
    return _drop_idle_joiners(text).str.normalize("NFC")


def _unless(text: pl.Series, script: str, pattern: str) -> pl.Series:
    """Removes the pattern from texts that hold no letter of the script."""
    return text.zip_with(text.str.contains(script), text.str.replace_all(pattern, ""))


def _drop_idle_joiners(text: pl.Series) -> pl.Series:
    """Removes joiners between two characters that nothing joins; twice, as neighbouring matches share a character."""
    between = rf"(^|{_PLAIN})[{_JOINERS}]+({_PLAIN}|$)"
    after_emoji = rf"([{_EMOJI}])[{_JOINERS}]+([^{_EMOJI}{_JOINERS}]|$)"
    once = text.str.replace_all(between, "$1$2").str.replace_all(between, "$1$2")
    return once.str.replace_all(after_emoji, "$1$2")


def _decode_mojibake(text: pl.Series) -> pl.Series:
    """Passes to `ftfy` only the texts its own badness pattern finds something in."""
    hit = text.str.contains(badness_pattern()).arg_true()
    if hit.is_empty():
        return text
    return text.clone().scatter(hit, text.gather(hit).map_elements(_fix, return_dtype=pl.String))


@cache
def badness_pattern() -> str:
    """Returns `ftfy`'s pattern of mojibake in the syntax of polars, matching wherever the original does.

    A text it does not match is one `ftfy` returns as it is.
    """
    from ftfy.badness import BADNESS_RE

    source = re.sub(r"^\s*#.*$", "", BADNESS_RE.pattern, flags=re.MULTILINE)
    classes = re.split(r"(\[[^\]]*\])", source)
    compact = "".join(part if part.startswith("[") else re.sub(r"\s", "", part) for part in classes)
    return compact.replace(r"\w", r"\S").replace(r"\s", r"[\s\x1c-\x1f]")


def _fix(text: str) -> str:
    import ftfy

    return ftfy.fix_text(text, _mojibake_only())


@cache
def _mojibake_only() -> Any:
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
    )
