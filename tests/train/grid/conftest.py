"""A pool of three abilities made by a real run, and a proxy small enough for a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.mixing import Mixing, open_mixing
from tests.curate.small import TOKENIZER, Small, chat
from tests.train.conftest import WORDS
from train.config import TrainConfig
from train.grid.proxy import Answers, Proxy

TRAIN: dict[str, Any] = {"global_batch": 4, "lr": 1e-2, "schedule": "constant", "warmup": 0.1}


def echo(ability: str, count: int, seed: int) -> list[dict[str, Any]]:
    """Returns dialogues whose answers follow the question in a way of the ability's own."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words = list(random.choice(WORDS, random.integers(3, 12)))
        answer = {"copy": words, "reverse": words[::-1], "count": [str(len(words))] * 3}[ability]
        found.append({**chat(f"{ability} " + " ".join(words), " ".join(answer)), "ability": ability})
    return found


def write_run(folder: Path, abilities: tuple[str, ...] = ("copy", "count", "reverse")) -> Small:
    """Runs a recipe over one source an ability; the first is domain data."""
    seeds = {"copy": 1, "reverse": 2, "count": 3}
    made = Small(
        folder,
        {name: echo(name, 150, seeds[name]) for name in abilities},
        tokenizer=TOKENIZER,
        split={"validation": 12},
        pack={"length": 128, "window": 8},
    )
    for source in made.recipe["sources"]:
        source |= {"ability": source["name"], "domain": source["name"] == abilities[0]}
    made.run()
    return made


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The finished run."""
    return write_run(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="session")
def mixing(small: Small) -> Mixing:
    """The run's pool, open."""
    return open_mixing(small.plan())


@pytest.fixture(scope="session")
def proxy(mixing: Mixing, model_folder: Path) -> Proxy:
    """The tiny model, loaded once."""
    return Proxy(TrainConfig.model_validate({"model": str(model_folder), **TRAIN}), mixing, Answers(2, 16))
