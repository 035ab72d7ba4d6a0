"""What a search would run, before anything is run: no model is loaded, and named abilities need no pool."""

from __future__ import annotations

from pathlib import Path

from curate.errors import TrainError
from curate.mixing import open_mixing
from curate.plan import make_plan
from curate.recipe import load_recipe
from train.grid.baselines import baselines
from train.grid.config import GridConfig, load_grid
from train.grid.exam import check_names, read_exams
from train.grid.space import Space
from train.grid.strategies import Full, Halving, Sweep


def plan_grid(path: Path) -> list[str]:
    """Returns what a search would run, in lines; needs neither pool nor model where the abilities are named.

    Raises:
        CurateError: something is wrong with the file or its recipe.
    """
    config = load_grid(path)
    exams = read_exams(config.tests)
    space, made = config.space, make_plan(load_recipe(Path(config.recipe)))
    ready = all(step.cached for step in made.of("tokenize"))
    if not space.abilities:
        if not ready:
            raise TrainError(
                f"{path}: the abilities of the pool are not known before it is made; name them in `space: abilities`, or "
                f"run `curate run {config.recipe}` first"
            )
        mixing = open_mixing(made)
        space = Space.model_validate({**space.model_dump(), "abilities": tuple(sorted(mixing.validation))})
    check_names(exams, space.abilities)
    points = space.points()
    fixed = len(baselines(space.abilities, True, config.shared))
    most = most_trials(config, space, len(points))
    runs = 1 + config.noise_seeds + config.seeds * (fixed - 1 + most)
    return [
        f"space: {len(points):,} mixtures of {', '.join(space.abilities)} read as {space.reading}",
        f"pool: {'ready' if ready else 'not made yet; the search runs ' + config.recipe + ' first'}",
        *(f"test: {exam.name}, {len(exam.items):,} questions, measured in every run" for exam in exams),
        f"base model: 1 measurement; noise floor: {config.noise_seeds} runs of the equal mix",
        f"baselines: up to {fixed} mixtures, {config.seeds} run(s) each",
        f"{config.strategy.name}: at most {most:,} mixtures, {config.seeds} run(s) each",
        f"in all: at most {runs:,} runs" + (f" of {config.budget:,} trained tokens" if config.budget else ""),
    ]


def most_trials(config: GridConfig, space: Space, points: int) -> int:
    """Returns how many trials a strategy may propose."""
    strategy = config.strategy
    if isinstance(strategy, Full):
        return points
    if isinstance(strategy, Sweep):
        most = 1 + strategy.passes * len(space.free) * (len(set(space.levels)) - 1)
        return min(points, most, strategy.trials or most)
    if isinstance(strategy, Halving):
        counts = [min(strategy.trials, points)]
        for _ in range(strategy.rungs - 1):
            counts.append(-(-counts[-1] // strategy.eta))
        return sum(counts)
    return min(points, strategy.trials)
