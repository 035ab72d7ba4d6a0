"""Trials: real training through the pool, each from the same weights, and what it is measured by."""

from __future__ import annotations

import gc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from curate.mixing import Mixing, open_mixing
from curate.mixture import MixSpec
from tests.curate.small import Small
from tests.train.grid.conftest import TRAIN, write_run
from train.config import TrainConfig
from train.grid.pooled import PoolData, digest, pool_data, reseed, validation_views
from train.grid.proxy import Answers, Proxy
from train.grid.repetition import repetition
from train.result import Result
from train.sft import run_sft

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

Weights = dict[str, float]


def data_of(mixing: Mixing, proxy: Proxy, weights: Weights, budget: int = 1200, seed: int = 17) -> PoolData:
    """Returns a mixture as training data."""
    spec = MixSpec(weights=weights, budget=budget)
    return pool_data(reseed(mixing, seed), reseed(mixing, seed).resolve(spec), validation_views(mixing), proxy.eos)


def losses(proxy: Proxy, data: PoolData, seed: int = 17, rung: Fraction = Fraction(1)) -> dict[str, float]:
    """Returns the loss of each ability after training."""
    return {name: outcome.loss for name, outcome in proxy.train(data, seed, rung).abilities.items()}


EVEN = {"copy": 1.0, "count": 1.0, "reverse": 1.0}


def test_a_trial_is_the_run_of_train_sft_on_the_exported_mixture(
    small: Small, mixing: Mixing, proxy: Proxy, tmp_path: Path
) -> None:
    """Read through the indexes, the recipe's own mixture ends in the losses of its packed shards, bit for bit."""
    config = proxy.config.model_copy(update={"save_steps": 0})
    expected: Result = run_sft(config, small.out, tmp_path)
    data = pool_data(mixing, mixing.resolve(), validation_views(mixing), proxy.eos)
    outcome = proxy.train(data, config.seed)
    assert outcome.steps == expected.steps
    for name, loss in outcome.abilities.items():
        assert (loss.loss, loss.tokens) == (expected.validation[name].after, expected.validation[name].tokens)
    before = proxy.measure(data).abilities
    assert {n: o.loss for n, o in before.items()} == {n: expected.validation[n].before for n in before}


def test_trials_do_not_touch_each_other(mixing: Mixing, proxy: Proxy) -> None:
    """The same trial gives the same bits after another one, and leaves the model as it was loaded."""
    data, other = data_of(mixing, proxy, EVEN), data_of(mixing, proxy, {**EVEN, "copy": 0.0})
    weights = {name: value.clone() for name, value in proxy.model.state_dict().items()}
    first = losses(proxy, data)
    assert losses(proxy, other) != first
    assert losses(proxy, data) == first
    assert all(torch.equal(weights[name], value) for name, value in proxy.model.state_dict().items())


def test_an_ability_learns_from_its_own_data(mixing: Mixing, proxy: Proxy) -> None:
    """What is left out stays worse than where it is trained."""
    with_it = losses(proxy, data_of(mixing, proxy, EVEN))
    without = losses(proxy, data_of(mixing, proxy, {**EVEN, "count": 0.0}))
    assert with_it["count"] < without["count"] - 0.3


def test_a_rung_is_a_prefix_of_the_whole_run(mixing: Mixing, proxy: Proxy) -> None:
    """A third of the steps, rounded up, on the same stream; a shorter run stands higher."""
    data = data_of(mixing, proxy, EVEN)
    whole, third = proxy.train(data, 17), proxy.train(data, 17, Fraction(1, 3))
    assert third.steps == -(-whole.steps // 3)
    assert third.tokens < whole.tokens == data.train.tokens
    assert np.mean([o.loss for o in third.abilities.values()]) > np.mean([o.loss for o in whole.abilities.values()])


def test_seeds_draw_other_rows_for_the_same_validation(mixing: Mixing, proxy: Proxy) -> None:
    """Another seed is another draw of rows; the rows every trial is measured on stay."""
    one, other = (data_of(mixing, proxy, EVEN, budget=600, seed=seed) for seed in (17, 18))
    assert one.digest != other.digest
    assert [digest(view) for view in one.validation.values()] == [digest(view) for view in other.validation.values()]


def test_a_trial_is_known_again_after_an_ability_was_added(mixing: Mixing, proxy: Proxy, tmp_path: Path) -> None:
    """The digest is of what is trained on: the pool may have grown, another share is another digest."""
    fewer = open_mixing(write_run(tmp_path, ("copy", "reverse")).plan())
    weights = {"copy": 2.0, "reverse": 1.0}
    smaller = data_of(fewer, proxy, weights).digest
    assert smaller == data_of(mixing, proxy, {**weights, "count": 0.0}).digest
    assert smaller != data_of(mixing, proxy, {**weights, "count": 1.0}).digest


def test_lora_trials_start_from_the_same_model(
    mixing: Mixing, proxy: Proxy, model_folder: Path, tmp_path: Path
) -> None:
    """An adapter is trained over the base and gone afterwards."""
    proxy.model.save_pretrained(tmp_path)
    config = TrainConfig.model_validate({"model": str(tmp_path), "method": "lora", **TRAIN})
    adapted = Proxy(config, mixing, Answers(0, 0))
    data = data_of(mixing, proxy, EVEN, budget=600)
    first = losses(adapted, data)
    assert losses(adapted, data) == first != losses(adapted, data, seed=18)
    assert np.isnan(adapted.measure(data).abilities["copy"].repetition)


@pytest.mark.parametrize(
    ("tokens", "expected"), [([1, 2, 3], 0), (list(range(20)), 0), ([5] * 103, 0.99), ([1, 2, 3, 4, 1, 2, 3, 4], 0.2)]
)
def test_repetition_counts_four_token_runs_that_stood_before(tokens: list[int], expected: float) -> None:
    """0 for an answer that never repeats, near 1 for a loop."""
    assert repetition(np.array(tokens)) == pytest.approx(expected)


def models() -> list[object]:
    """Returns the models in memory."""
    return [one for one in gc.get_objects() if issubclass(type(one), PreTrainedModel)]


def test_models_of_finished_trials_do_not_pile_up(mixing: Mixing, proxy: Proxy) -> None:
    """However many trials were run, and with no collection by chance, one copy beside the first weights is alive."""
    data = data_of(mixing, proxy, EVEN, budget=200)
    proxy.train(data, 17)
    gc.collect()
    before = len(models())
    gc.disable()
    for _ in range(3):
        proxy.train(data, 17)
    gc.enable()
    per_copy = len([module for module in proxy.model.modules() if isinstance(module, PreTrainedModel)])
    assert len(models()) - before <= per_copy


def test_every_step_is_told(mixing: Mixing, proxy: Proxy) -> None:
    """A worker can say where its trial stands."""
    heard: list[tuple[int, int]] = []
    tell: Callable[[int, int], None] = lambda step, steps: heard.append((step, steps))  # noqa: E731
    outcome = proxy.train(data_of(mixing, proxy, EVEN, budget=400), 17, beat=tell)
    assert heard == [(step, outcome.steps) for step in range(1, outcome.steps + 1)]
