"""Many different role sequences are put together from short ones, and give what each gives alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from curate.chat import encode_rows
from curate.chat.dialect import FEW, dialect_of
from curate.chat.grammar import learn_grammar, places
from curate.chat.structure import find_structure
from curate.shards.documents import IGNORED
from curate.tokens import load_tokenizer

from .chat_maker import Message, chats, tokenizer_folder

HEAD = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}"
TAIL = "{{- m.content + '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
LOCAL = HEAD + TAIL
FAR = HEAD + "{%- if m.role == 'assistant' %}{{- 'of ' ~ messages | length ~ ': ' }}{%- endif %}" + TAIL
ALTERNATING = (
    "{%- for m in messages %}{%- if loop.index0 and m.role == messages[loop.index0 - 1].role %}"
    "{{ raise_exception('must alternate') }}{%- endif %}{%- endfor %}" + LOCAL
)
THIRD = HEAD + "{%- if loop.index == 6 %}{{- 'sixth ' }}{%- endif %}" + TAIL


def _conversations() -> list[list[Message]]:
    choose = random.Random(5)
    sequences = [choose.choices(("user", "assistant"), k=choose.randrange(1, 12)) for _ in range(60)]
    return [
        [{"role": role, "content": f"word{i}"} for i, role in enumerate([*sequence, "user", "assistant"])]
        for sequence in sequences
    ]


@pytest.mark.parametrize("source", [LOCAL, FAR, ALTERNATING, THIRD], ids=["local", "far", "alternating", "sixth"])
def test_together_as_alone(source: str, tmp_path: Path) -> None:
    """Rows of many structures, encoded at once, are those encoded one by one, whatever the template looks at."""
    together = load_tokenizer(tokenizer_folder(tmp_path / "a", source))
    alone = load_tokenizer(tokenizer_folder(tmp_path / "b", source + "{# b #}"))
    conversations = _conversations()
    encoded = encode_rows(chats(*conversations), together, train_on="last")
    assert dialect_of(together).grammar is not None
    single = [encode_rows(chats(messages), alone, train_on="last") for messages in conversations]
    assert dialect_of(alone).grammar is None
    assert encoded.input_ids.tolist() == [i for one in single for i in one.input_ids.tolist()]
    assert encoded.labels.tolist() == [i for one in single for i in one.labels.tolist()]
    assert encoded.kept.tolist() == [row for row, one in enumerate(single) if len(one.kept)]
    assert (encoded.labels != IGNORED).any()


def test_rules_are_those_of_probes(tmp_path: Path) -> None:
    """A composed structure equals the one that probes find, for templates whose pieces depend on neighbours only."""
    finder = dialect_of(load_tokenizer(tokenizer_folder(tmp_path, LOCAL))).finder
    grammar = learn_grammar(finder)
    roles = ("system", "user", "user", "assistant", "assistant", "user", "assistant")
    assert grammar.compose(roles) == find_structure(finder, roles)
    assert grammar.compose(("user", "tool", "assistant")) is None


def test_no_rule_where_a_template_looks_farther(tmp_path: Path) -> None:
    """Pieces that differ at the same place make no rule, and a text that rules get wrong is not composed."""
    far = learn_grammar(dialect_of(load_tokenizer(tokenizer_folder(tmp_path / "far", FAR))).finder)
    assert ("user", "assistant", "") not in far.rules
    third = learn_grammar(dialect_of(load_tokenizer(tokenizer_folder(tmp_path / "third", THIRD))).finder)
    assert third.compose(("user", "assistant") * 2) is not None
    assert third.compose(("user", "assistant") * 3) is None


def test_places() -> None:
    """A place is the role with its neighbours, empty beyond either end."""
    assert places(("user", "assistant")) == [("", "user", "assistant"), ("user", "assistant", "")]
    assert len({tuple(m["role"] for m in messages) for messages in _conversations()}) > FEW
