"""What is trained equals what the training templates shipped with TRL mark, on every pair of templates.

TRL ships chat templates in pairs: as published, and with ``{% generation %}`` markers for the assistant's tokens. Our
mask over the published one is held against the markers of the other, conversation by conversation and token by token.
Every difference is listed below with its reason; an unlisted difference fails, and so does a listed one that is gone.
"""

from __future__ import annotations

import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from curate.chat import encode_rows
from curate.chat.conversation import message_dicts, tool_dicts
from curate.chat.dialect import dialect_of
from curate.chat.environment import RENDER_DATE
from curate.errors import TokenizerError
from curate.shards.documents import IGNORED
from curate.tokens import Tokenizer, load_tokenizer

from .chat_maker import TOOLS, Message, assistant, calls, chat_row, rows_of, system, tokenizer_folder, tool, user

transformers = pytest.importorskip("transformers")
TRL = find_spec("trl")
if TRL is None or not TRL.submodule_search_locations:
    pytest.skip("TRL is not installed", allow_module_level=True)
TEMPLATES = Path(next(iter(TRL.submodule_search_locations))) / "chat_templates"
PAIRS = sorted(path.stem.removesuffix("_training") for path in TEMPLATES.glob("*_training.jinja"))

BATTERY: dict[str, tuple[list[Message], str | None]] = {
    "single_en": ([user("What is 2+2?"), assistant("It is 4.")], None),
    "single_zh": ([system("你是客服。"), user("你好，我要退货"), assistant("好的，请问订单号是多少？😀👍🏽")], None),
    "multi": (
        [user("hi"), assistant("Hello!"), user("再见"), assistant("拜拜～ bye"), user("one"), assistant("ok\n\nsure")],
        None,
    ),
    "multi_system": (
        [system("Be brief."), user("hi"), assistant("Hello!"), user("再见"), assistant("拜拜")],
        None,
    ),
    "edges": ([user("  hi\n"), assistant("\n Hello! \n\n")], None),
    "edges_multi": ([user("\n\nq1 "), assistant(" a1\n"), user("q2"), assistant("\n\na2")], None),
    "leading": ([assistant("您好，请讲"), user("退货"), assistant("好的")], None),
    "system_leading": ([system("s"), assistant("您好，请讲"), user("退货"), assistant("好的")], None),
    "double": ([user("x"), assistant("a"), assistant("b"), user("y"), assistant("c")], None),
    "empty": ([user("x"), assistant("")], None),
    "trailing_user": ([user("x"), assistant("y"), user("z")], None),
    "call": (
        [user("北京天气？"), assistant(None, tool_calls=calls(city="北京")), tool('{"t": 30}'), assistant("30度。")],
        TOOLS,
    ),
    "call_and_words": (
        [
            system("sys"),
            user("北京天气？"),
            assistant("查一下", tool_calls=calls(city="北京")),
            tool("30"),
            assistant("30度。"),
            user("谢谢"),
            assistant("不客气"),
        ],
        TOOLS,
    ),
    "tools_unused": ([user("hi"), assistant("hello")], TOOLS),
    "reasoning": ([user("1+1"), assistant("2", reasoning_content="simple\nadd")], None),
    "reasoning_multi": (
        [
            user("1+1"),
            assistant("2", reasoning_content="simple"),
            user("2+2"),
            assistant("4", reasoning_content="again"),
        ],
        None,
    ),
    "reasoning_empty": ([user("1+1"), assistant("2", reasoning_content="")], None),
    "think_inline": ([user("1+1"), assistant("<think>\nhm\n</think>\n\n2")], None),
    "reasoning_call": (
        [
            user("北京天气？"),
            assistant(None, reasoning_content="need tool", tool_calls=calls(city="北京")),
            tool("30"),
            assistant("30度。", reasoning_content="got it"),
        ],
        TOOLS,
    ),
}
CALLS = {"call", "call_and_words", "reasoning_call"}
MULTI = {"multi", "multi_system", "edges_multi", "double", "trailing_user", "reasoning_multi"}


class Gap(NamedTuple):
    """Tokens on which the masks may differ: those only they train, those only we train, and why."""

    theirs: frozenset[str]
    ours: frozenset[str]
    reason: str


PROMPT = "part of the generation prompt: the model is given these tokens and never writes them"
THINK = Gap(frozenset({"<think>", "Ċ", "ĊĊ"}), frozenset(), PROMPT)
START = Gap(frozenset({"<|start|>", "assistant"}), frozenset(), PROMPT)
GAPS: dict[str, Gap] = {
    "deepseek_r1_distill": Gap(
        frozenset({"<｜Assistant｜>", "<｜tool▁outputs▁end｜>"}),
        frozenset(),
        f"{PROMPT}; the end of the tool outputs likewise",
    ),
    "deepseekv3": Gap(
        frozenset({"<｜Assistant｜>", "<｜tool▁outputs▁end｜>"}),
        frozenset(),
        f"{PROMPT}; the end of the tool outputs likewise",
    ),
    "diffusion_gemma": Gap(
        frozenset(),
        frozenset({"<|tool_response>", "Ł", "ı", "½"}),
        "a call ends with <|tool_response>, rendered where no response follows yet; and of a last character of several "
        "tokens transformers marks only the first",
    ),
    "gptoss": START,
    "llava_next": Gap(
        frozenset(),
        frozenset({"Ġ"}),
        "the template closes a turn with a space after </s>, as others close it with a line break, which TRL trains",
    ),
    "muse_glimmer": START,
    "nemotron_3_5_lightning": THINK,
    "nemotron_3_nano": THINK,
    "nemotron_3_super": THINK,
    "nemotron_3_ultra": THINK,
    "qwen2_5": Gap(frozenset({"Ċ"}), frozenset(), PROMPT),
    "qwen3_5_nothink": Gap(frozenset({"<think>", "</think>", "Ċ", "ĊĊ"}), frozenset(), PROMPT),
    "qwen3_5_think": THINK,
    "qwen3_6": THINK,
    "qwen3_8": THINK,
}
"""Where the masks differ. Besides, a token that straddles the edge of a span is trained by TRL and not by us."""

QWEN_HISTORY = MULTI | {"call_and_words"}
REWRITES: dict[str, set[str]] = {
    "diffusion_gemma": {"double", "call_and_words", "reasoning_multi"},  # merges turns, moves words behind responses
    "glm4moe": {"reasoning_multi"},  # drops earlier reasoning
    # a past answer ends with <|end|>, a last one with <|return|>
    "gptoss": (MULTI | {"leading", "system_leading", "call_and_words", "reasoning_call"}),
    "nemotron_3_5_lightning": {"reasoning_multi"},
    "nemotron_3_nano": {"reasoning_multi"},
    "nemotron_3_super": {"reasoning_multi"},
    "nemotron_3_ultra": {"reasoning_multi"},
    "qwen3": QWEN_HISTORY | {"call"},  # only a last or reasoned answer has a think block
    "qwen3_5_nothink": QWEN_HISTORY,
    "qwen3_5_think": QWEN_HISTORY,
    "qwen3_6": QWEN_HISTORY,
}
"""Conversations that the published template rewrites as they go on; we refuse, TRL changes the template."""

HIDES_CALLS = {
    "cohere",
    "cohere2",
    "gemma",
    "gemma3",
    "idefics3",
    "lfm2",
    "llama3",
    "llava_next",
    "phi3",
    "phi3_5",
    "qwen2_5_vl",
    "smolvlm",
}
"""Templates that leave tool calls out of what they render: such rows are dropped, TRL trains an empty turn."""

NO_PROMPT = {("llava_next", "leading")}
"""No generation prompt tells where a first turn of the assistant starts: dropped."""

OTHER_TEXT: dict[str, set[str]] = {
    "deepseek_r1_distill": {"think_inline"},  # TRL keeps reasoning that the published template cuts out
    "glm4moe": set(BATTERY) - {"trailing_user"},  # TRL moves the next turn's header into the answer before it
    "qwen3": {"leading", "system_leading"},  # TRL gives every answer a think block
    "qwen3_5_nothink": {"leading", "system_leading"},
    "qwen3_5_think": {"leading", "system_leading"},
    "qwen3_6": {"leading", "system_leading"},
}
"""Conversations that TRL's template renders otherwise than the published one: the masks are of different texts."""

ONLY_OURS = {"deepseek_r1_distill", "deepseekv3"}
"""Templates that need ``content: none`` beside calls, which transformers leaves out and we give: rendered by us alone."""


class FixedDate(datetime.datetime):
    """The day that our renderings are told, for the library's."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> FixedDate:
        """The one day."""
        return cls.combine(RENDER_DATE, datetime.time())


Pair = tuple[Tokenizer, Any]
"""Our tokenizer with the published template, and transformers' with TRL's training template."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Every pair of templates, loaded."""
    return {name: _pair(tmp_path_factory.mktemp(name), name) for name in PAIRS}


def _source(name: str) -> str:
    return (TEMPLATES / f"{name}.jinja").read_text("utf-8")


def _pair(folder: Path, name: str) -> Pair:
    training = _source(f"{name}_training")
    tokenizer = load_tokenizer(tokenizer_folder(folder, _source(name), training))
    library = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.reference.backend, bos_token="<s>", eos_token="<|endoftext|>"
    )
    library.chat_template = training
    return tokenizer, library


def _theirs(pair: Pair, row: dict[str, Any]) -> tuple[list[int], list[int]] | None:
    """Ids and mask by transformers over TRL's training template; None where it refuses the conversation."""
    tokenizer, library = pair
    messages = message_dicts(row["messages"])
    if dialect_of(tokenizer).template.forms.parts:
        messages = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages if "content" in m]
    try:
        out = library.apply_chat_template(
            messages, tools=tool_dicts(row["tools"]), return_dict=True, return_assistant_tokens_mask=True
        )
    except Exception:  # what a template raises is its own affair
        return None
    return list(out["input_ids"]), list(out["assistant_masks"])


@pytest.mark.parametrize("case", BATTERY)
@pytest.mark.parametrize("name", PAIRS)
def test_mask_equals_trl(name: str, case: str, made: dict[str, Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """Our labels over the published template are TRL's over its training template, or differ as listed."""
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FixedDate)
    tokenizer, row = made[name][0], chat_row(*BATTERY[case])
    if case in REWRITES.get(name, ()):
        with pytest.raises(TokenizerError, match="rewrites history"):
            encode_rows(rows_of(row), tokenizer, control_tokens="allow")
        return
    theirs = _theirs(made[name], row)
    encoded = encode_rows(rows_of(row), tokenizer, control_tokens="allow")
    reason = encoded.drops["reason"].to_list()
    if name in HIDES_CALLS and case in CALLS:
        assert reason == ["tool_calls_not_rendered"]
    elif (name, case) in NO_PROMPT:
        assert reason == ["template_refused"]
    elif theirs is None:
        assert reason == ([] if name in ONLY_OURS else ["template_refused"])
    else:
        assert reason == []
        same_text = encoded.input_ids.tolist() == theirs[0]
        assert same_text == (case not in OTHER_TEXT.get(name, ()))
        if same_text:
            _check_masks(name, tokenizer, encoded.input_ids, encoded.labels != IGNORED, theirs[1], encoded.stats)


def _check_masks(name: str, tokenizer: Tokenizer, ids: Any, ours: Any, theirs: list[int], stats: Any) -> None:
    words = tokenizer.tokens(ids)
    lost = [words[i] for i in range(len(words)) if theirs[i] and not ours[i]]
    won = [words[i] for i in range(len(words)) if ours[i] and not theirs[i]]
    gap = GAPS.get(name, Gap(frozenset(), frozenset(), ""))
    unlisted = [word for word in lost if word not in gap.theirs]
    assert len(unlisted) <= stats.straddling, unlisted
    assert all(set(word) <= {"Ċ", "Ġ"} for word in unlisted)
    assert set(won) <= gap.ours


def test_every_listed_gap_is_seen(made: dict[str, Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each template listed as different does differ somewhere, so that the list can't grow stale."""
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FixedDate)
    for name in GAPS:
        tokenizer, seen = made[name][0], False
        for case in ("single_en", "single_zh", "call"):
            row = chat_row(*BATTERY[case])
            theirs = None if case in REWRITES.get(name, ()) else _theirs(made[name], row)
            if theirs is None or (name in HIDES_CALLS and case in CALLS):
                continue
            encoded = encode_rows(rows_of(row), tokenizer, control_tokens="allow")
            seen |= (encoded.labels != IGNORED).astype(int).tolist() != theirs[1]
        assert seen, name


def test_no_end_of_turn_of_its_own(made: dict[str, Pair]) -> None:
    """Where an answer ends with nothing of its own, the next turn's header token is its trained end (GLM)."""
    tokenizer = made["glm4moe"][0]
    encoded = encode_rows(rows_of(chat_row(*BATTERY["multi"])), tokenizer, control_tokens="allow")
    trained = tokenizer.decode(encoded.input_ids[encoded.labels != IGNORED])
    assert trained == (
        "\n<think></think>\nHello!<|user|>\n<think></think>\n拜拜～ bye<|user|>\n<think></think>\nok\n\nsure"
    )


@pytest.mark.parametrize("name", PAIRS)
def test_markers_of_a_template_are_believed(
    name: str, made: dict[str, Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TRL's training template as ours, the mask is TRL's but for tokens that straddle a marker."""
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FixedDate)
    tokenizer = load_tokenizer(tokenizer_folder(tmp_path, _source(f"{name}_training"), _source(name)))
    compared = 0
    for case in ("single_en", "edges", "multi", "multi_system", "reasoning", "call_and_words"):
        row = chat_row(*BATTERY[case])
        theirs = _theirs((tokenizer, made[name][1]), row)
        if theirs is None or (name in HIDES_CALLS and case in CALLS):
            continue
        try:
            encoded = encode_rows(rows_of(row), tokenizer, control_tokens="allow")
        except TokenizerError:  # even some training templates rewrite history
            assert name in REWRITES
            continue
        assert encoded.input_ids.tolist() == theirs[0]
        lost = (encoded.labels == IGNORED) & np.array(theirs[1], bool)
        assert lost.sum() <= encoded.stats.straddling
        compared += 1
    assert compared >= 2
