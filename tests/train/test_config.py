from __future__ import annotations

from pathlib import Path

import pytest

from curate.errors import TrainError
from train.config import TrainConfig, load_config, parse_setting


def test_file_and_overrides_make_one_config(tmp_path: Path) -> None:
    """Overrides win over the file, reach into lora by a dot, and 1e-3 is a number."""
    path = tmp_path / "train.yaml"
    path.write_text("model: tiny\nmethod: lora\nlr: 1e-3\nlora: {r: 4}\n")
    config = load_config(path, {"lora.alpha": 8, "max_steps": 5})
    assert (config.lr, config.lora.r, config.lora.alpha, config.max_steps) == (1e-3, 4, 8, 5)


def test_learning_rate_follows_the_method() -> None:
    """Full training starts at 1e-5, an adapter at 1e-4, a given rate is kept."""
    assert TrainConfig(model="m").learning_rate == 1e-5
    assert TrainConfig(model="m", method="lora").learning_rate == 1e-4
    assert TrainConfig(model="m", method="lora", lr=3e-5).learning_rate == 3e-5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: m\nbatch_token: 5\n", "unknown field 'batch_token'; did you mean 'batch_tokens'?"),
        ("model: m\nlora: {rank: 4}\n", "unknown field 'lora.rank'"),
        ("epochs: 1\n", "'model' is missing"),
        ("model: m\nepochs: -1\n", "epochs: Input should be greater than 0, got -1"),
        ("model: m\nskip: [[4, 2]]\n", "first < last"),
        ("- model\n", "a mapping of names to values"),
        ("model: [\n", "not YAML"),
    ],
)
def test_a_wrong_file_is_named_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    """Errors name the file, the field and the nearest known name."""
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(TrainError) as caught:
        load_config(path, {})
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_setting_without_value_are_told() -> None:
    """A path that isn't there and `--set key` are user errors."""
    with pytest.raises(TrainError, match="can't read the training config"):
        load_config(Path("nowhere.yaml"), {})
    with pytest.raises(TrainError, match="expected key=value"):
        parse_setting("lr")
    with pytest.raises(TrainError, match="lr is a single value"):
        load_config(None, {"model": "m", "lr": 1, "lr.x": 2})


def test_wsd_needs_room_for_its_decay() -> None:
    """A warm-up and a decay longer than the run are refused; another schedule has no decay to fit."""
    with pytest.raises(TrainError, match=r"warmup 0.6 and decay 0.5 are more than all steps"):
        load_config(None, {"model": "m", "schedule": "wsd", "warmup": 0.6, "decay": 0.5})
    assert load_config(None, {"model": "m", "warmup": 0.6, "decay": 0.5}).schedule == "cosine"
