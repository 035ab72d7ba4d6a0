"""Scores of options: the softmax by hand, the tokens that count, and a real model that learns the answers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import TrainError
from curate.mixing import Mixing
from tests.curate.small import jsonl
from train.grid.choices import Choices, examine, grade, render
from train.grid.exam import read_exams
from train.grid.proxy import Proxy
from train.loader import IGNORED, flatten
from train.scoring import score_kept

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

ITEMS: list[dict[str, Any]] = [
    {"question": "copy refund order", "choices": ["refund order", "order", "card phone email ship"], "answer": 0},
    {"question": "退款 多久?", "choices": ["一天", "两天", "三天", "一个星期以后"], "answer": 2},
    {"question": "count ship card", "choices": ["3 3 3", "2 2 2"], "answer": 1},
]
BUDGET = 512


def choices_of(folder: Path, mixing: Mixing, items: list[dict[str, Any]]) -> Choices:
    """Returns items as a model reads them."""
    (exam,) = read_exams({"exam": str(jsonl(folder / "exam.jsonl", *items))})
    return render(exam, mixing)


@pytest.fixture
def choices(mixing: Mixing, tmp_path: Path) -> Choices:
    """A test of three questions."""
    return choices_of(tmp_path, mixing, ITEMS)


def losses(model: torch.nn.Module) -> Any:
    """Returns what gives a model's loss of each scored token."""
    return lambda batch: score_kept(model, batch, {}).losses.detach()


def test_the_softmax_by_hand() -> None:
    """Three options at -1, -2, -2 and two at -3, -1: log(1 + 2/e) and log(1 + e²), of which one is right."""
    found = grade(np.array([-1.0, -2, -2, -3, -1]), np.array([3, 2]))
    assert found.loss == pytest.approx((0.5514447139 + 2.1269280110) / 2)
    assert (found.accuracy, found.questions) == (0.5, 2)


def test_by_chance_and_ties() -> None:
    """Equal scores have the loss of chance, and a tie is not right."""
    found = grade(np.full(6, -4.0), np.array([4, 2]))
    assert (found.loss, found.accuracy) == (pytest.approx((np.log(4) + np.log(2)) / 2), 0)
    known = Choices((), np.array([4, 2])).chance
    assert (known.loss, known.accuracy, known.questions) == (pytest.approx(found.loss), 0.375, 2)


def test_only_the_answer_is_scored(choices: Choices, proxy: Proxy) -> None:
    """The option's own tokens; the end of its turn, alike behind every option, would favour short ones."""
    first = choices.sequences[0]
    scored = first.input_ids[first.labels != IGNORED].tolist()
    assert proxy.tokenizer.decode(scored) == "refund order"
    assert "copy refund order" in proxy.tokenizer.decode(first.input_ids[first.labels == IGNORED].tolist())
    assert choices.counts.tolist() == [3, 4, 2]


def test_a_score_is_the_mean_log_probability_however_options_are_batched(choices: Choices, proxy: Proxy) -> None:
    """Held against one plain forward pass an option; batches of one and of many give the same."""
    scores = []
    with torch.no_grad():
        for sequence in choices.sequences:
            ids = torch.tensor(sequence.input_ids.astype(np.int64))[None]
            chances = torch.log_softmax(proxy.model(input_ids=ids).logits[0].double(), dim=-1)
            scored = np.flatnonzero(sequence.labels != IGNORED)
            scores.append(float(np.mean([float(chances[place - 1, ids[0, place]]) for place in scored])))
    expected = grade(np.array(scores), choices.counts)
    for budget in (1, BUDGET):
        found = examine(choices, losses(proxy.model), budget)
        assert found.loss == pytest.approx(expected.loss, abs=1e-5)
        assert found.accuracy == expected.accuracy


def test_the_order_of_options_changes_nothing(choices: Choices, mixing: Mixing, proxy: Proxy, tmp_path: Path) -> None:
    """Not the last digit, nor the digest a grade is filed under."""
    turned = []
    for item in ITEMS:
        options = item["choices"][::-1]
        turned.append({**item, "choices": options, "answer": len(options) - 1 - item["answer"]})
    other = choices_of(tmp_path, mixing, turned)
    assert other.digest == choices.digest
    assert examine(other, losses(proxy.model), BUDGET) == examine(choices, losses(proxy.model), BUDGET)


def test_the_digest_is_of_what_is_asked(choices: Choices, mixing: Mixing, tmp_path: Path) -> None:
    """Another right answer or another question is another test."""
    wrong = [{**ITEMS[0], "answer": 1}, *ITEMS[1:]]
    digests = {choices.digest, *(choices_of(tmp_path, mixing, items).digest for items in (wrong, ITEMS[1:]))}
    assert len(digests) == 3


def test_a_model_trained_on_the_answers_tells_them(choices: Choices, proxy: Proxy) -> None:
    """The choice loss falls far below chance, and every question is answered."""
    model = copy.deepcopy(proxy.model)
    before = examine(choices, losses(model), BUDGET)
    starts = np.concatenate([[0], np.cumsum(choices.counts)[:-1]])
    batch = flatten([choices.sequences[place] for place in starts], np.ones(len(starts), dtype=bool))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        score_kept(model, batch, {}).losses.mean().backward()
        optimizer.step()
    after = examine(choices, losses(model), BUDGET)
    assert before.loss == pytest.approx(choices.chance.loss, abs=0.5)
    assert after.loss < 0.3 * before.loss
    assert after.accuracy == 1


def test_control_tokens_in_an_item_are_text(mixing: Mixing, proxy: Proxy, tmp_path: Path) -> None:
    """An option can't end its own turn."""
    item = {"question": "q", "choices": ["a<|im_end|>b", "c"], "answer": 0}
    first = choices_of(tmp_path, mixing, [item]).sequences[0]
    end = proxy.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end not in first.input_ids[first.labels != IGNORED]
    assert "a<|im_end|>b" in proxy.tokenizer.decode(first.input_ids[first.labels != IGNORED].tolist())


def test_an_item_that_is_too_long_is_told(mixing: Mixing, tmp_path: Path) -> None:
    """With its line, its length and what to do."""
    long = {"question": "refund order " * 200, "choices": ["x", "y"], "answer": 0}
    with pytest.raises(TrainError, match=r"exam.jsonl:2: .* tokens long, more than the 128 of a sequence; leave"):
        choices_of(tmp_path, mixing, [ITEMS[0], long])
