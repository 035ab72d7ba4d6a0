"""Objectives: one number from relative loss changes."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from curate.errors import TrainError
from train.grid.objective import Objective

NAMES = ("domain", "general")
BASE = np.array([4.0, 2.0])
LOSSES = np.array([[2.0, 2.0], [3.0, 2.1]])


def test_weighted_is_the_mean_relative_change() -> None:
    """Losses count by how much they fell against the untrained model."""
    np.testing.assert_allclose(Objective().value(LOSSES, BASE, NAMES), [-0.25, -0.1])
    np.testing.assert_allclose(Objective(weights={"general": 0}).value(LOSSES, BASE, NAMES), [-0.5, -0.25])


def test_worst_looks_at_the_ability_that_gained_least() -> None:
    """A mixture is as good as its worst ability."""
    np.testing.assert_allclose(Objective(kind="worst").value(LOSSES, BASE, NAMES), [0.0, 0.05])


def test_constrained_punishes_what_rises_above_its_limit() -> None:
    """The domain loss counts; general may rise by one percent and no more."""
    found = Objective(kind="constrained", limits={"general": 0.01}).value(LOSSES, BASE, NAMES)
    np.testing.assert_allclose(found, [-0.5, -0.25 + 10 * 0.04])


def test_an_ability_without_a_loss_and_without_weight_does_not_matter() -> None:
    """What is left out may be missing."""
    losses = np.array([2.0, np.nan])
    assert Objective(weights={"general": 0}).value(losses, BASE, NAMES) == pytest.approx(-0.5)


def test_mistakes_are_told() -> None:
    """Unknown abilities, no weight at all, limits without their kind."""
    with pytest.raises(TrainError, match="no ability is named 'domian'; did you mean 'domain'"):
        Objective(weights={"domian": 1}).value(LOSSES, BASE, NAMES)
    with pytest.raises(TrainError, match="no ability has a weight above 0"):
        Objective(weights={"domain": 0, "general": 0}).value(LOSSES, BASE, NAMES)
    with pytest.raises(ValidationError, match="goes with `limits`"):
        Objective(limits={"general": 0.01})


TESTED = np.array([[2.0, 2.0, 1.4], [3.0, 2.1, 0.7]])
UNTRAINED = np.array([4.0, 2.0, 1.4])
EXAM = ("exam",)


def test_a_test_is_shown_and_not_decisive_unless_named() -> None:
    """Its default weight is 0; its name in `weights` makes it count."""
    np.testing.assert_allclose(Objective().value(TESTED, UNTRAINED, NAMES, EXAM), [-0.25, -0.1])
    assert Objective().looks_at(NAMES, EXAM) == NAMES
    alone = Objective(weights={"exam": 1, "domain": 0, "general": 0})
    np.testing.assert_allclose(alone.value(TESTED, UNTRAINED, NAMES, EXAM), [0.0, -0.5])
    assert alone.looks_at(NAMES, EXAM) == EXAM


def test_the_worst_may_be_a_test() -> None:
    """Among those that have a weight."""
    np.testing.assert_allclose(Objective(kind="worst").value(TESTED, UNTRAINED, NAMES, EXAM), [0.0, 0.05])
    weighed = Objective(kind="worst", weights={"exam": 1, "general": 0})
    np.testing.assert_allclose(weighed.value(TESTED, UNTRAINED, NAMES, EXAM), [0.0, -0.25])


def test_a_test_may_be_a_limit() -> None:
    """The abilities count; the test may get no worse."""
    bound = Objective(kind="constrained", limits={"exam": -0.25})
    np.testing.assert_allclose(bound.value(TESTED, UNTRAINED, NAMES, EXAM), [-0.25 + 10 * 0.25, -0.1])
    assert bound.looks_at(NAMES, EXAM) == (*NAMES, "exam")


def test_a_name_that_is_no_test_is_told() -> None:
    """With the nearest one."""
    with pytest.raises(TrainError, match="no ability or test is named 'exma'; did you mean 'exam'"):
        Objective(kind="constrained", limits={"exma": 0}).value(TESTED, UNTRAINED, NAMES, EXAM)
    with pytest.raises(TrainError, match="no ability or test has a weight above 0"):
        Objective(weights={"domain": 0, "general": 0}).value(TESTED, UNTRAINED, NAMES, EXAM)
