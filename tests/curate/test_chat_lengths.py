"""Lengths counted without labels are those of the rows as encoded, and add up message by message."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.chat import encode_rows, message_lengths, overheads, rendered_lengths, row_lengths
from curate.tokens import Tokenizer, load_tokenizer

from .chat_maker import (
    SAMPLE_TOKENIZER,
    TOOLS,
    assistant,
    calls,
    chat_row,
    chats,
    rows_of,
    system,
    text_row,
    tokenizer_folder,
    tool,
    user,
)


@pytest.fixture(scope="module")
def sample() -> Tokenizer:
    """The sample tokenizer."""
    return load_tokenizer(str(SAMPLE_TOKENIZER))


ROWS = rows_of(
    chat_row([system("s"), user("你好"), assistant("hello there"), user("x"), assistant(" y ")]),
    text_row("a document 一篇"),
    chat_row([user("q"), assistant(None, tool_calls=calls(city="北京")), tool("30"), assistant("30")], TOOLS),
    chat_row([user("q"), assistant("a", reasoning_content="because")]),
)


def test_totals_are_those_of_the_encoding(sample: Tokenizer) -> None:
    """A rendered length is the number of tokens encode_rows gives the row."""
    assert rendered_lengths(ROWS, sample).tolist() == np.diff(encode_rows(ROWS, sample).offsets).tolist()


def test_messages_and_overhead_add_up(sample: Tokenizer) -> None:
    """Every message counts with what the template writes around it; tools are overhead."""
    lengths = row_lengths(ROWS, sample)
    summed = np.zeros(ROWS.height, np.int64)
    np.add.at(summed, lengths.messages["row"].to_numpy(), lengths.messages["n_tokens"].to_numpy())
    assert (summed + lengths.overhead).tolist() == lengths.total.tolist()
    assert lengths.overhead[0] == 0
    assert lengths.overhead[2] > 40
    assert lengths.overhead.tolist() == overheads(ROWS, sample).tolist()
    assert lengths.messages.select("row", "turn").rows() == [
        *[(0, turn) for turn in range(5)],
        *[(2, turn) for turn in range(4)],
        *[(3, turn) for turn in range(2)],
    ]


@given(st.lists(st.tuples(st.text(max_size=20), st.text(min_size=1, max_size=20)), min_size=2, max_size=5))
@settings(max_examples=40, deadline=None)
def test_dropping_early_turns_costs_their_lengths(pairs: list[tuple[str, str]]) -> None:
    """With ChatML a row without its first exchange is shorter by just the lengths of those two messages."""
    tokenizer = load_tokenizer(str(SAMPLE_TOKENIZER))
    messages = [m for question, answer in pairs for m in (user("q" + question + "."), assistant("a" + answer + "."))]
    lengths = message_lengths(chats(messages), tokenizer)["n_tokens"].to_list()
    long, short = rendered_lengths(chats(messages, messages[2:]), tokenizer)
    assert long - short == lengths[0] + lengths[1]


def test_default_system_text_is_overhead(tmp_path: Path) -> None:
    """What a template writes of its own accord belongs to no message."""
    source = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    tokenizer = load_tokenizer(tokenizer_folder(tmp_path, source))
    rows = chats([user("a"), assistant("b")], [system("c"), user("a"), assistant("b")])
    first, second = overheads(rows, tokenizer)
    assert first > 5
    assert second == 0


def test_refused_rows(tmp_path: Path) -> None:
    """A row that the template refuses has length -1 and no overhead."""
    source = "{% if messages | length > 2 %}{{ raise_exception('too long') }}{% endif %}{{ messages[0].content }}"
    tokenizer = load_tokenizer(tokenizer_folder(tmp_path, source))
    lengths = row_lengths(chats([user("a")], [user("a"), assistant("b"), user("c")]), tokenizer)
    assert lengths.total.tolist() == [1, -1]
    assert lengths.overhead[1] == 0


def test_no_rows(sample: Tokenizer) -> None:
    """No rows have no lengths."""
    assert rendered_lengths(rows_of(), sample).tolist() == []
    assert message_lengths(rows_of(), sample).height == 0
