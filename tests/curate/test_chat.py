"""Conversations become exactly the tokens of their rendering, and exactly the assistant's own words are trained."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.chat import REASONS, ChatTemplate, encode_rows, render_row
from curate.chat.conversation import message_dicts
from curate.errors import TokenizerError
from curate.rows import ROW_SCHEMA
from curate.shards.documents import IGNORED
from curate.tokens import Tokenizer, load_tokenizer

from .chat_maker import (
    SAMPLE_TOKENIZER,
    TOOLS,
    Message,
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

CHATML = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.role == 'assistant' %}[G]{{- m.content + '<|im_end|>\\n' }}[/G]"
    "{%- else %}{{- m.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
WORDS = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}{{- 'Assistant:' }}[G]{{- ' ' + m.content + '\\n' }}[/G]"
    "{%- else %}{{- 'User: ' + m.content + '\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- 'Assistant:' }}{%- endif %}"
)
STRIPPING = CHATML.replace("m.content +", "m.content | trim +")
CUTTING = CHATML.replace("[G]{{- m.content +", "[G]{{- m.content.split('</think>')[-1].lstrip('\\n') +")
FORGETTING = (
    "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}"
    "{%- if m.role == 'assistant' and loop.last %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}"
    "{{- m.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
LAWFUL = {"chatml": CHATML, "words": WORDS, "stripping": STRIPPING, "cutting": CUTTING}


def unmarked(template: str) -> str:
    """The template without its marks of what is generated."""
    return template.replace("[G]", "").replace("[/G]", "")


def marked(template: str) -> str:
    """The template with its marks as generation tags."""
    return template.replace("[G]", "{%- generation %}").replace("[/G]", "{%- endgeneration %}")


@pytest.fixture(scope="module")
def sample() -> Tokenizer:
    """The sample tokenizer, ChatML with tools and reasoning."""
    return load_tokenizer(str(SAMPLE_TOKENIZER))


@pytest.fixture(scope="module")
def lawful(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tokenizer]:
    """Tokenizers of templates that don't rewrite history."""
    folder = tmp_path_factory.mktemp("lawful")
    return {name: load_tokenizer(tokenizer_folder(folder / name, unmarked(LAWFUL[name]))) for name in LAWFUL}


def with_template(folder: Path, template: str, **config: Any) -> Tokenizer:
    """The sample vocabulary with another template and settings."""
    tokenizer_folder(folder, template)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **config}), "utf-8")
    return load_tokenizer(str(folder))


def trained_texts(encoded: Any, tokenizer: Tokenizer) -> list[list[str]]:
    """Of each kept row the stretches of trained text."""
    found = []
    for start, end in zip(encoded.offsets, encoded.offsets[1:], strict=False):
        on = np.append(encoded.labels[start:end] != IGNORED, False).astype(int)
        edges = np.flatnonzero(np.diff(on, prepend=0))
        ids = encoded.input_ids[start:end]
        found.append([tokenizer.decode(ids[a:b]) for a, b in edges.reshape(-1, 2)])
    return found


def expected_labels(tokenizer: Tokenizer, template: str, messages: list[Message]) -> tuple[list[int], list[int]]:
    """Ids and labels the slow way: generation tags, the reference's offsets, one token after another."""
    text, spans = ChatTemplate(marked(template), tokenizer.specials).render_marked(messages)
    ids, places = tokenizer.encode_with_offsets(text)
    inside = [any(a <= start and end <= b for a, b in spans) for start, end in places]
    return ids.tolist(), [int(i) if on else IGNORED for i, on in zip(ids, inside, strict=True)]


def test_golden_chatml(tmp_path: Path) -> None:
    """A small conversation, token by token: answers and their end are trained, headers and questions are not."""
    words = ["<unk>", "<|im_start|>", "<|im_end|>", "system", "user", "assistant", "\n", " ", "be", "kind", "hi", "yes"]
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(words)}, "<unk>"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\s|\S+"), "isolated")
    model.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    model.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "chat_template.jinja").write_text(unmarked(CHATML), "utf-8")
    tokenizer = load_tokenizer(str(tmp_path))
    encoded = encode_rows(chats([system("be kind"), user("hi"), assistant("yes yes")]), tokenizer)
    expected = [
        ("<|im_start|>", 0),
        ("system", 0),
        ("\n", 0),
        ("be", 0),
        (" ", 0),
        ("kind", 0),
        ("<|im_end|>", 0),
        ("\n", 0),
        ("<|im_start|>", 0),
        ("user", 0),
        ("\n", 0),
        ("hi", 0),
        ("<|im_end|>", 0),
        ("\n", 0),
        ("<|im_start|>", 0),
        ("assistant", 0),
        ("\n", 0),
        ("yes", 1),
        (" ", 1),
        ("yes", 1),
        ("<|im_end|>", 1),
        ("\n", 1),
    ]
    assert encoded.input_ids.tolist() == [words.index(word) for word, _ in expected]
    assert encoded.labels.tolist() == [words.index(word) if on else -100 for word, on in expected]
    assert encoded.offsets.tolist() == [0, len(expected)]
    assert encoded.kept.tolist() == [0]


TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\n",
        " a ",
        "\n\nb",
        "c\n",
        "你好。",
        "😀👍🏽 ok",
        "<think>x</think>\n\ny",
        "\u3000z\x1f",
        "don't",
        "User: q",
    ]
)
TURNS = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), TEXTS, st.sampled_from([None, 0, 1])), min_size=1, max_size=6
)


@pytest.mark.parametrize("name", LAWFUL)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_law_of_the_mask(name: str, lawful: dict[str, Tokenizer], data: st.DataObject) -> None:
    """For any conversation the ids are those of the whole rendering, the labels those of the template's own marks."""
    tokenizer = lawful[name]
    drawn = data.draw(st.lists(TURNS, min_size=1, max_size=5))
    conversations = [[{"role": r, "content": c} for r, c, _ in turns] for turns in drawn]
    encoded = encode_rows(chats(*conversations), tokenizer, control_tokens="allow")
    dropped = dict(encoded.drops.select("row", "reason").iter_rows())
    for row, messages in enumerate(conversations):
        ids, labels = expected_labels(tokenizer, LAWFUL[name], messages)
        if row in dropped:
            silent = all(m["role"] == "user" for m in messages)
            assert dropped[row] == ("no_assistant_turn" if silent else "nothing_trained")
            assert silent or set(labels) == {IGNORED}
            continue
        at = encoded.kept.tolist().index(row)
        start, end = encoded.offsets[at], encoded.offsets[at + 1]
        assert encoded.input_ids[start:end].tolist() == ids
        assert encoded.labels[start:end].tolist() == labels


@given(st.lists(TURNS, min_size=1, max_size=6), st.integers(0, 6), st.sampled_from(["all", "last"]))
@settings(max_examples=60, deadline=None)
def test_rows_do_not_depend_on_their_neighbours(drawn: list[Any], cut: int, train_on: Any) -> None:
    """A frame encodes as its two parts do, every row kept or dropped once; every label is its token's id or -100."""
    tokenizer = load_tokenizer(str(SAMPLE_TOKENIZER))
    rows = chats(*([{"role": r, "content": c, "weight": w} for r, c, w in turns] for turns in drawn))
    whole = encode_rows(rows, tokenizer, train_on=train_on)
    parts = [encode_rows(part, tokenizer, train_on=train_on) for part in (rows[:cut], rows[cut:])]
    assert whole.input_ids.tolist() == [i for part in parts for i in part.input_ids.tolist()]
    assert whole.labels.tolist() == [i for part in parts for i in part.labels.tolist()]
    assert sorted([*whole.kept.tolist(), *whole.drops["row"].to_list()]) == list(range(len(drawn)))
    assert np.isin(whole.labels == whole.input_ids, [True]).sum() + (whole.labels == IGNORED).sum() == len(whole.labels)
    assert set(whole.drops["reason"]) <= set(REASONS)


def test_what_is_trained_in_a_tool_conversation(sample: Tokenizer) -> None:
    """Reasoning, calls and answers of the assistant are trained with their ends; tool results and tools never."""
    row = chat_row(
        [
            user("北京天气？"),
            assistant(None, reasoning_content="need it", tool_calls=calls(city="北京")),
            tool("30"),
            assistant("30度。"),
        ],
        TOOLS,
    )
    encoded = encode_rows(rows_of(row), sample)
    call = '<think>\nneed it\n</think>\n\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call>'
    assert trained_texts(encoded, sample) == [[f"{call}<|im_end|>\n", "30度。<|im_end|>\n"]]
    assert encoded.stats.jinja == 1


def test_message_weights_and_last(sample: Tokenizer) -> None:
    """A turn of weight 0 is context only; with train_on last only the last answer is trained, if its weight allows."""
    rows = chats(
        [user("a"), assistant("one", weight=0), user("b"), assistant("two", weight=1)],
        [user("a"), assistant("one"), user("b"), assistant("two")],
        [user("a"), assistant("one"), user("b"), assistant("two", weight=0)],
    )
    every = encode_rows(rows, sample)
    assert trained_texts(every, sample) == [
        ["two<|im_end|>\n"],
        ["one<|im_end|>\n", "two<|im_end|>\n"],
        ["one<|im_end|>\n"],
    ]
    last = encode_rows(rows, sample, train_on="last")
    assert trained_texts(last, sample) == [["two<|im_end|>\n"], ["two<|im_end|>\n"]]
    assert last.drops.rows() == [(2, "nothing_trained", None)]


def test_documents(sample: Tokenizer, tmp_path: Path) -> None:
    """A document is trained whole and ends with the end-of-text token, which must be named."""
    encoded = encode_rows(rows_of(text_row("一篇文章 text"), chat_row([user("q"), assistant("a")])), sample)
    assert sample.eos is not None
    assert encoded.input_ids[: encoded.offsets[1]].tolist()[-1] == sample.eos.id
    assert trained_texts(encoded, sample)[0] == ["一篇文章 text<|im_end|>"]
    assert encoded.kept.tolist() == [0, 1]
    nameless = with_template(tmp_path, "", eos_token=None)
    with pytest.raises(TokenizerError, match="names no end-of-text token"):
        encode_rows(rows_of(text_row("x")), nameless)


def test_rows_without_answers(sample: Tokenizer) -> None:
    """Conversations without an assistant turn, or without any turn, are dropped with that reason."""
    encoded = encode_rows(chats([user("q")], [], [user("q"), assistant("a")]), sample)
    assert encoded.drops.rows() == [(0, "no_assistant_turn", None), (1, "no_assistant_turn", None)]
    assert encoded.kept.tolist() == [2]


def test_empty_frame(sample: Tokenizer) -> None:
    """No rows give no tokens and no drops."""
    encoded = encode_rows(rows_of(), sample)
    assert (len(encoded.input_ids), len(encoded.kept), encoded.drops.height) == (0, 0, 0)
    assert encoded.offsets.tolist() == [0]


HOSTILE = {
    "content": chat_row([user("a<|im_end|>b"), assistant("c")]),
    "answer": chat_row([user("a"), assistant("c<|im_end|>\n<|im_start|>user\nd")]),
    "system": chat_row([system("<|im_start|>"), user("a"), assistant("c")]),
    "arguments": chat_row([user("a"), assistant(None, tool_calls=calls(x="<|im_end|>"))], TOOLS),
    "escaped": chat_row([user("a"), assistant("b", tool_calls=calls(x="?").replace("?", "\\u003c|im_end|>"))], TOOLS),
    "result": chat_row([user("a"), assistant("b"), tool("<|endoftext|>"), assistant("c")]),
    "tools": chat_row([user("a"), assistant("b")], TOOLS.replace("查天气", "<|im_end|>")),
    "reasoning": chat_row([user("a"), assistant("b", reasoning_content="<|im_end|>")]),
    "text": text_row("a<|im_end|>b"),
}


@pytest.mark.parametrize("place", HOSTILE)
def test_control_tokens_in_data(place: str, sample: Tokenizer) -> None:
    """A control-token string anywhere in the data drops the row, or stays ordinary text, or is allowed by name."""
    rows = rows_of(HOSTILE[place], chat_row([user("fine"), assistant("ok")]))
    dropped = encode_rows(rows, sample)
    assert dropped.drops.rows() == [(0, "control_token_in_data", None)]
    split = encode_rows(rows, sample, control_tokens="split")
    allowed = encode_rows(rows, sample, control_tokens="allow")
    assert split.stats.split == 1
    first = slice(0, split.offsets[1])
    assert sample.decode(split.input_ids[first]) == sample.decode(allowed.input_ids[: allowed.offsets[1]])
    specials = [sample.token_id(token) for token in sample.control_tokens]
    honest = rows_of(
        json.loads(re.sub(r"<\|(im_end|im_start|endoftext)\|>|\\\\u003c\|im_end\|>", "?", json.dumps(HOSTILE[place])))
    )
    clean = encode_rows(honest, sample)
    assert np.isin(split.input_ids[first], specials).sum() == np.isin(clean.input_ids, specials).sum()
    assert np.isin(allowed.input_ids[: allowed.offsets[1]], specials).sum() > np.isin(clean.input_ids, specials).sum()


def test_split_answers_are_trained(sample: Tokenizer) -> None:
    """In split mode the whole answer is trained, its control-token string as ordinary text."""
    encoded = encode_rows(rows_of(HOSTILE["answer"]), sample, control_tokens="split")
    assert trained_texts(encoded, sample) == [["c<|im_end|>\n<|im_start|>user\nd<|im_end|>\n"]]


def test_split_refuses_its_own_marks(sample: Tokenizer) -> None:
    """A row that holds both a control token and the noncharacters used as marks is dropped in split mode."""
    encoded = encode_rows(chats([user("<|im_end|>\ufdd0"), assistant("a")]), sample, control_tokens="split")
    assert encoded.drops["reason"].to_list() == ["control_token_in_data"]


def test_a_template_that_rewrites_history(tmp_path: Path) -> None:
    """Training every turn of a template that forgets earlier reasoning is refused with advice; the last one works."""
    tokenizer = with_template(tmp_path, FORGETTING)
    rows = chats([user("a"), assistant("one"), user("b"), assistant("two")])
    for frame in (rows, rows_of(chat_row([user("a"), assistant("one"), user(""), assistant("two")]))):
        with pytest.raises(
            TokenizerError, match=r"rewrites history.*truncate_history: \{expand: every\}.*train_on: last"
        ):
            encode_rows(frame, tokenizer)
    last = encode_rows(rows, tokenizer, train_on="last")
    assert trained_texts(last, tokenizer) == [["<think>\n\n</think>\n\ntwo<|im_end|>\n"]]
    context = chats([user("a"), assistant("one", weight=0), user("b"), assistant("two")], [user("a"), assistant("x")])
    assert encode_rows(context, tokenizer).kept.tolist() == [0, 1]
    trailing = encode_rows(chats([user("a"), assistant("one"), user("b")]), tokenizer, train_on="last")
    assert trailing.drops["reason"].to_list() == ["history_rewritten"]


def test_a_template_that_refuses(tmp_path: Path) -> None:
    """What a template raises becomes the row's drop with the template's message; other rows are not touched."""
    source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + unmarked(
        CHATML
    )
    tokenizer = with_template(tmp_path, source)
    encoded = encode_rows(chats([system("s"), user("a"), assistant("b")], [user("a"), assistant("b")]), tokenizer)
    assert encoded.drops.rows() == [(0, "template_refused", "TemplateError: no system here")]
    assert encoded.kept.tolist() == [1]


def test_a_template_that_hides_tool_calls(tmp_path: Path) -> None:
    """A row whose calls the template would leave out silently is dropped, not trained without them."""
    tokenizer = with_template(tmp_path, unmarked(CHATML))
    row = chat_row([user("a"), assistant("b", tool_calls=calls(city="x"))], TOOLS)
    encoded = encode_rows(rows_of(row), tokenizer)
    assert encoded.drops["reason"].to_list() == ["tool_calls_not_rendered"]


@pytest.mark.parametrize("change", ["upper", "length"])
def test_pieces_never_win_over_the_template(change: str, tmp_path: Path) -> None:
    """A template that changes contents in a way no probe foresees is noticed on the rows and rendered as it is."""
    contents = {"upper": "m.content | upper", "length": "(m.content if m.content | length < 9 else 'long')"}[change]
    template = CHATML.replace("m.content +", f"{contents} +")
    tokenizer = with_template(tmp_path, unmarked(template))
    conversations = [[user("a question"), assistant("an answer")], [user("x"), assistant("y")]]
    encoded = encode_rows(chats(*conversations), tokenizer)
    assert encoded.stats.jinja == 2
    expected = [expected_labels(tokenizer, template, messages) for messages in conversations]
    assert encoded.input_ids.tolist() == [i for ids, _ in expected for i in ids]
    assert encoded.labels.tolist() == [i for _, labels in expected for i in labels]


def test_pieces_are_used_where_they_can_be(sample: Tokenizer, lawful: dict[str, Tokenizer]) -> None:
    """Plain conversations are put together from pieces; markup a template looks for goes through the template."""
    rows = chats([user("a"), assistant("b\n")], [user(" x "), assistant("<think>hm</think>y")])
    assert encode_rows(rows, sample).stats.pieces == 2
    assert encode_rows(rows, lawful["stripping"]).stats.pieces == 2
    cutting = encode_rows(rows, lawful["cutting"])
    assert (cutting.stats.pieces, cutting.stats.jinja) == (0, 2)
    assert trained_texts(cutting, lawful["cutting"]) == [["b\n<|im_end|>\n"], ["y<|im_end|>\n"]]


def test_straddling_tokens(sample: Tokenizer) -> None:
    """A token half header and half answer is not trained and is counted."""
    encoded = encode_rows(chats([user("a"), assistant("\nb")]), sample)
    assert (encoded.stats.offsets, encoded.stats.straddling) == (1, 1)
    assert trained_texts(encoded, sample) == [["b<|im_end|>\n"]]


def test_errors_of_the_caller(sample: Tokenizer, tmp_path: Path) -> None:
    """Preference rows, a tokenizer without a template and a broken template are refused in words."""
    pair = {**dict.fromkeys(ROW_SCHEMA), "kind": "preference"}
    with pytest.raises(TokenizerError, match="rows of kind preference can't be tokenized"):
        encode_rows(rows_of(pair), sample)
    tokenizer_folder(tmp_path / "none", "x")
    (tmp_path / "none" / "chat_template.jinja").unlink()
    with pytest.raises(TokenizerError, match=r"has no chat template.*chat_template\.jinja"):
        encode_rows(chats([user("a"), assistant("b")]), load_tokenizer(str(tmp_path / "none")))
    with pytest.raises(TokenizerError, match="no valid Jinja: line 1"):
        encode_rows(chats([user("a"), assistant("b")]), with_template(tmp_path / "bad", "{% if %}"))


def test_reference_engine_gives_the_same(sample: Tokenizer) -> None:
    """Ids and labels do not depend on the engine."""
    rows = chats(
        [user("你好 😀"), assistant("\n好的 ok  \n")], [system("s"), user("x"), assistant("def f():\n\treturn 1")]
    )
    fast = encode_rows(rows, sample)
    slow = encode_rows(rows, load_tokenizer(str(SAMPLE_TOKENIZER), "reference"))
    assert fast.input_ids.tolist() == slow.input_ids.tolist()
    assert fast.labels.tolist() == slow.labels.tolist()


def test_template_for_tools(tmp_path: Path) -> None:
    """Where a tokenizer has a template named tool_use, rows with tools are rendered by it."""
    tokenizer_folder(tmp_path, unmarked(CHATML))
    extra = tmp_path / "additional_chat_templates"
    extra.mkdir()
    (extra / "tool_use.jinja").write_text("{{ tools | length ~ ' tools\n' }}" + unmarked(CHATML), "utf-8")
    rows = rows_of(chat_row([user("a"), assistant("b")], TOOLS), chat_row([user("a"), assistant("b")]))
    encoded = encode_rows(rows, load_tokenizer(str(tmp_path)))
    texts = [
        load_tokenizer(str(tmp_path)).decode(encoded.input_ids[a:b])
        for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)
    ]
    assert texts[0] == f"1 tools\n{texts[1]}"


def test_rendering_is_that_of_transformers() -> None:
    """Trimmed blocks, loop controls, tojson without escapes, special tokens and a day that never changes."""
    source = (
        "{%- for m in messages %}\n    {%- if m.role == 'skip' %}{% continue %}{% endif %}\n"
        "{{ m.content }}{{ bos_token }}\n{%- endfor %}\n{{ tools | tojson(indent=1) }}{{ strftime_now('%Y-%m-%d') }}"
    )
    messages = [user("a"), {"role": "skip", "content": "b"}]
    transformers = pytest.importorskip("transformers.utils.chat_template_utils")
    ours = ChatTemplate(source, {"bos_token": "<s>"})
    text = ours.render(messages, [{"name": "查<&>'"}])
    assert text.endswith("2024-07-26")
    theirs = transformers.render_jinja_template([messages], [{"name": "查<&>'"}], chat_template=source, bos_token="<s>")
    assert text[:-10] == theirs[0][0][:-10]
    assert ours.digest != ChatTemplate(source, {"bos_token": "<t>"}).digest


def test_templates_are_sandboxed() -> None:
    """A template can't reach beyond the conversation."""
    with pytest.raises(TokenizerError, match="SecurityError"):
        ChatTemplate("{{ messages.append(1) }}").render([user("a")])
    with pytest.raises(TokenizerError, match="SecurityError"):
        ChatTemplate("{{ ''.__class__.__mro__ }}").render([user("a")])


def test_one_row_to_look_at(sample: Tokenizer) -> None:
    """A row shows its text, tokens and labels, or why it would be dropped."""
    shown = render_row(chat_row([user("a"), assistant("b")]), sample)
    assert shown.text == "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
    assert [t for t, on in zip(shown.tokens, shown.trained, strict=True) if on] == ["b", "<|im_end|>", "Ċ"]
    assert shown.reason is None
    silent = render_row({"kind": "chat", "messages": [user("a")]}, sample)
    assert silent.reason == "no_assistant_turn"
    assert silent.text == "<|im_start|>user\na<|im_end|>\n"
    assert silent.tokens
    assert not any(silent.trained)
    assert render_row(text_row("x"), sample).text == "x<|im_end|>"


def test_null_fields_are_not_shown_to_templates() -> None:
    """A template sees a message without the fields that are null, calls as objects, and no weight."""
    row = chat_row([assistant(None, tool_calls=calls(a=1), weight=1)])
    (message,) = message_dicts(row["messages"])
    assert set(message) == {"role", "tool_calls"}
    assert message["tool_calls"][0]["function"]["arguments"] == {"a": 1}


def test_large_strings_are_cut_without_copies(sample: Tokenizer) -> None:
    """Rows keep their order whichever way each was rendered."""
    rows = rows_of(
        chat_row([user("1"), assistant("a")]),
        text_row("2"),
        chat_row([user("3"), assistant("", reasoning_content="r")]),
        chat_row([user("4<|im_end|>"), assistant("b")]),
        chat_row([user("5"), assistant("c")]),
    )
    encoded = encode_rows(rows, sample, control_tokens="split")
    assert encoded.kept.tolist() == [0, 1, 2, 3, 4]
    texts = [sample.decode(encoded.input_ids[a:b]) for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]
    assert [next(c for c in text if c.isdigit()) for text in texts] == ["1", "2", "3", "4", "5"]
    assert isinstance(encoded.drops, pl.DataFrame)
    assert pa.array(encoded.input_ids).type == pa.int32()
    assert (encoded.stats.pieces, encoded.stats.text, encoded.stats.jinja, encoded.stats.split) == (2, 1, 1, 1)
