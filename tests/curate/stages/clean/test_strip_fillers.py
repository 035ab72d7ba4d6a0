"""Behaviour of strip_fillers: labelled sentences, their precision and recall, and what it must never do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import StageError
from curate.fingerprint import FileRef
from curate.stages.clean.strip_fillers import StripFillers

Texts = Callable[..., list[str]]
Rows = Callable[..., pl.DataFrame]

LABELLED = Path(__file__).with_name("fillers_labelled.tsv")
DOCS = Path(__file__).parents[4] / "docs" / "stages" / "strip_fillers.md"


def _labelled() -> list[tuple[str, str, str]]:
    lines = [line.split("\t") for line in LABELLED.read_text("utf-8").rstrip("\n").split("\n")[1:]]
    return [(text.replace("\\n", "\n"), wanted.replace("\\n", "\n"), note) for text, wanted, note in lines]


SENTENCES = _labelled()


def test_every_labelled_sentence(edit_texts: Texts) -> None:
    """Every labelled sentence comes out as its label says."""
    found = edit_texts(StripFillers(), [text for text, _, _ in SENTENCES])
    wrong = [(*line, got) for line, got in zip(SENTENCES, found, strict=True) if got != line[1]]
    assert wrong == []


def test_the_label_file_is_sound() -> None:
    """There are enough sentences, half of them traps, none twice; a trap is labelled unchanged, a filler is not."""
    traps = [line for line in SENTENCES if line[2].startswith("trap")]
    assert len(SENTENCES) >= 200
    assert len(traps) * 2 >= len(SENTENCES)
    assert len({text for text, _, _ in SENTENCES}) == len(SENTENCES)
    assert all((text == wanted) == note.startswith("trap") for text, wanted, note in SENTENCES)


def test_docs_state_the_measured_precision_and_recall(edit_texts: Texts) -> None:
    """The numbers on the docs page are the ones the labelled sentences give."""
    found = edit_texts(StripFillers(), [text for text, _, _ in SENTENCES])
    changed = [(got, wanted) for (text, wanted, _), got in zip(SENTENCES, found, strict=True) if got != text]
    right = sum(got == wanted for got, wanted in changed)
    fillers = sum(text != wanted for text, wanted, _ in SENTENCES)
    stated = f"| now | {fillers} | {len(SENTENCES) - fillers} | {right / len(changed):.3f} | {right / fillers:.3f} |"
    assert stated in DOCS.read_text("utf-8")


def test_only_user_and_assistant_turns_by_default(make_chats: Rows) -> None:
    """System and tool turns stay as they are."""
    chat = [("system", "嗯，你是客服"), ("user", "嗯，查余额"), ("tool", "呃，25"), ("assistant", "呃，余额25元")]
    edited = StripFillers().edit(make_chats(chat))
    assert [m["content"] for m in edited.rows["messages"][0]] == ["嗯，你是客服", "查余额", "呃，25", "余额25元"]
    assert edited.reasons.to_list() == ["filler"]


def test_filler_only_drop_removes_the_turn_and_merges_its_neighbours(make_chats: Rows) -> None:
    """A turn that is only a filler goes, the turns around it become one; questions and short answers stay."""
    chat = [("user", "在吗"), ("assistant", "您请讲。"), ("user", "嗯。"), ("assistant", "请问有什么可以帮您？")]
    asks = [("user", "嗯？"), ("assistant", "好的。")]
    lost = [("user", "嗯嗯。"), ("assistant", "您好")]
    edited = StripFillers(filler_only="drop").edit(make_chats(chat, asks, lost))
    assert edited.origin.to_list() == [0]
    messages = [(m["role"], m["content"]) for m in edited.rows["messages"][0]]
    assert messages == [("user", "在吗"), ("assistant", "您请讲。\n请问有什么可以帮您？")]
    assert edited.drops.to_dicts() == [{"row": 2, "reason": "filler_only", "action": "drop"}]


def test_filler_only_keep_leaves_answers(make_chats: Rows) -> None:
    """By default an answer that is only a filler stays."""
    edited = StripFillers().edit(make_chats([("user", "是您本人吗？"), ("assistant", "嗯。")]))
    assert edited.rows.is_empty()
    assert edited.drops.is_empty()


def test_lexicon_adds_terms_by_rule(edit_texts: Texts, tmp_path: Path) -> None:
    """A user's terms follow the rule the file gives them, the built-in ones stay."""
    path = tmp_path / "fillers.txt"
    path.write_text("# ours\n咹\topening\n怎么说呢\nsort of\nahem\tanywhere\n", "utf-8")
    stage = StripFillers(lexicon=FileRef(str(path)))
    texts = [
        "咹，我想退货",
        "我觉得，怎么说呢，一般",
        "It's, sort of, broken.",
        "I want ahem a refund",
        "嗯，好",
        "怎么说呢好",
    ]
    wanted = ["我想退货", "我觉得，一般", "It's broken.", "I want a refund", "好", "怎么说呢好"]
    assert edit_texts(stage, texts) == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("嗯哪\tsometimes\n", "fillers.txt:1: unknown rule 'sometimes'; rules: set_off, opening, anywhere"),
        ("好\nwell\topening\n", "fillers.txt:2: rule 'opening' does not fit 'well'; use set_off"),
        ("啊，\n", "fillers.txt:1: term '啊，' holds a space or punctuation; give the bare word"),
        ("kind of\tanywhere\n", "fillers.txt:1: 'kind of' is a phrase; phrases only go when set off"),
    ],
)
def test_a_bad_lexicon_names_its_line(edit_texts: Texts, tmp_path: Path, content: str, message: str) -> None:
    """A mistake in the lexicon is reported with file, line and what to do."""
    path = tmp_path / "fillers.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(StageError, match=re.escape(message)):
        edit_texts(StripFillers(lexicon=FileRef(str(path))), ["嗯，好"])


def test_a_missing_lexicon_is_a_clear_error(edit_texts: Texts) -> None:
    """A lexicon that is not there is named."""
    with pytest.raises(StageError, match=r"the lexicon nowhere\.txt can't be read"):
        edit_texts(StripFillers(lexicon=FileRef("nowhere.txt")), ["嗯，好"])


_PARTS = st.sampled_from(
    [
        *"嗯呃唔啊哦额哎我好吗，。、：？…—～\n1“”`说😊xIA-? ",
        *("嗯嗯", "那个", "这个", "就是说", "想退货", "额度", "呃逆", "\U000f5eed", ", ", ". ", ": ", "...", " - "),
        *("Um", " um ", "um", "uh", "er", "mm", "hmm", "like", "you know", "I mean", "the "),
    ]
)


def _is_subsequence(short: str, long: str) -> bool:
    rest = iter(long.casefold())
    return all(character in rest for character in short.casefold())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(_PARTS, max_size=14).map("".join), max_size=5))
def test_is_idempotent_and_only_takes_away(edit_texts: Texts, texts: list[str]) -> None:
    """A second pass changes nothing; the output is the input with characters taken out, first letters raised."""
    once = edit_texts(StripFillers(), texts)
    assert edit_texts(StripFillers(), once) == once
    assert all(_is_subsequence(after, before) for before, after in zip(texts, once, strict=True))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([text for text, _, _ in SENTENCES]), min_size=1, max_size=8), st.integers(0, 8))
def test_a_turn_does_not_depend_on_its_neighbours(edit_texts: Texts, texts: list[str], cut: int) -> None:
    """Editing a frame is editing its halves."""
    halves = [*edit_texts(StripFillers(), texts[:cut]), *edit_texts(StripFillers(), texts[cut:])]
    assert edit_texts(StripFillers(), texts) == halves
