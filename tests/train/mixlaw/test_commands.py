"""`train mixlaw` as a user calls it: fit, predict, optimum on CSV, and the messages for wrong calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import polars as pl
import pytest
import yaml

from tests.train.mixlaw.planted import mixes, run, truth
from train.cli import MODELS, main
from train.mixlaw.fitting import Model

DOMAINS = ("service", "writing", "math")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Returns the exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["train", "mixlaw", *map(str, arguments)])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two tables of 24 runs, the losses in another order, and unseen mixes."""
    shares = mixes(24, 2)
    losses = run(shares, 2)
    frame = pl.DataFrame({"index": range(24), **{f"train_{d}": shares[:, n] for n, d in enumerate(DOMAINS)}})
    frame.write_csv(tmp_path / "m.csv")
    values = pl.DataFrame({"index": range(24), **{f"valid_{d}_loss": losses[:, n] for n, d in enumerate(DOMAINS)}})
    values.reverse().write_csv(tmp_path / "l.csv")
    unseen = mixes(15, 3)
    pl.DataFrame({"index": [f"u{n}" for n in range(15)], **{d: unseen[:, n] for n, d in enumerate(DOMAINS)}}).write_csv(
        tmp_path / "new.csv"
    )
    return tmp_path


def test_fit_predict_and_optimum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: Path
) -> None:
    """A law is fitted, unseen mixes are ranked as their true losses, and a mix under a cap is proposed."""
    law, pred, best = tables / "law.json", tables / "pred.csv", tables / "best.yaml"
    assert call(monkeypatch, "fit", "--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "-o", law) == 0
    said = capsys.readouterr().out
    assert said.startswith("24 runs, 3 domains (shares), 3 targets")
    assert "power" in said
    assert call(monkeypatch, "predict", law, "--mixtures", tables / "new.csv", "-o", pred) == 0
    found = pl.read_csv(pred)
    assert found.columns[:4] == ["index", *(f"valid_service_loss{end}" for end in ("", "_lower", "_upper"))]
    assert found["index"].to_list() == [f"u{n}" for n in range(15)]
    assert np.corrcoef(found["valid_service_loss"], truth(mixes(15, 3))[:, 0])[0, 1] > 0.97
    assert (found["valid_service_loss_lower"] < found["valid_service_loss_upper"]).all()
    capsys.readouterr()
    asked = ("optimum", law, "--weight", "math=1", "--cap", "math=0.6", "--pull", "0", "-o", best)
    assert call(monkeypatch, *asked) == 0
    assert "the proposed mix beats the prior in" in capsys.readouterr().out
    weights = yaml.safe_load(best.read_text())["mix"]["weights"]
    assert weights["math"] == pytest.approx(0.6, abs=1e-4)
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-4)


def test_workers_do_not_change_the_law(monkeypatch: pytest.MonkeyPatch, tables: Path) -> None:
    """One process or two, the same bytes."""
    files = ("--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "--model", "power")
    for workers in (1, 2):
        assert call(monkeypatch, "fit", *files, "--workers", str(workers), "-o", tables / f"{workers}.json") == 0
    assert (tables / "1.json").read_bytes() == (tables / "2.json").read_bytes()


def test_no_signal_is_said_and_nothing_is_proposed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: Path
) -> None:
    """Losses shuffled between runs end in "no signal", for the fit, the prediction and the proposal."""
    frame = pl.read_csv(tables / "l.csv")
    order = np.random.default_rng(4).permutation(24).tolist()
    frame.with_columns(pl.col("valid_math_loss").gather(order)).write_csv(tables / "l.csv")
    files = ("--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "-o", tables / "law.json")
    assert call(monkeypatch, "fit", *files, "--target", "math") == 0
    assert "no signal (p = " in capsys.readouterr().out
    new = ("--mixtures", tables / "new.csv", "-o", tables / "pred.csv")
    assert call(monkeypatch, "predict", tables / "law.json", *new) == 0
    assert "no signal, the mean is predicted: valid_math_loss" in capsys.readouterr().out
    assert call(monkeypatch, "optimum", tables / "law.json") == 1
    assert "no target that counts has signal" in capsys.readouterr().err


def test_wrong_calls_are_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: Path
) -> None:
    """A misspelt target, a missing law and a malformed cap name what to do."""
    files = ("--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "-o", tables / "law.json")
    assert call(monkeypatch, "fit", *files, "--target", "maths") == 1
    assert "no column 'maths'" in capsys.readouterr().err
    assert call(monkeypatch, "predict", tables / "none.json", "--mixtures", tables / "new.csv") == 1
    assert "write it with `train mixlaw fit`" in capsys.readouterr().err
    assert call(monkeypatch, "optimum", tables / "none.json", "--cap", "math") == 1
    assert "write NAME=NUMBER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--cap", "math=-1"), "--cap math=-1: a cap is a share, from 0 to 1"),
        (("--cap", "math=nan"), "--cap math=nan: a cap is a share"),
        (("--weight", "math=inf"), "--weight math=inf: a weight is a finite number"),
        (("--pull", "nan"), "--pull nan: the pull is a finite number"),
        (("--cap", "maths=0.5"), "no column 'maths'; did you mean 'math'"),
    ],
)
def test_what_cannot_be_optimized_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: Path, asked: tuple[str, str], said: str
) -> None:
    """Numbers that are no shares, weights or pulls are refused by name instead of ending in a mix of nan."""
    files = ("--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "-o", tables / "law.json")
    assert call(monkeypatch, "fit", *files, "--model", "ridge", "--workers", "1") == 0
    capsys.readouterr()
    assert call(monkeypatch, "optimum", tables / "law.json", *asked) == 1
    assert said in capsys.readouterr().err


def test_rows_and_columns_that_are_missing_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tables: Path
) -> None:
    """Runs in one table only are counted; shares that lack a domain look like amounts, which is said."""
    pl.read_csv(tables / "l.csv").head(8).write_csv(tables / "l.csv")
    pl.read_csv(tables / "m.csv").drop("train_math").write_csv(tables / "m.csv")
    files = ("--mixtures", tables / "m.csv", "--losses", tables / "l.csv", "-o", tables / "law.json")
    assert call(monkeypatch, "fit", *files, "--model", "ridge", "--workers", "1") == 0
    said = capsys.readouterr().out
    assert "8 rows are in both tables, of 24 in" in said
    assert "if they are shares, a column is missing" in said
    pl.read_csv(tables / "l.csv").head(4).write_csv(tables / "l.csv")
    assert call(monkeypatch, "fit", *files, "--model", "ridge", "--workers", "1") == 1
    assert "at least 5 are needed; 4 rows are in both tables" in capsys.readouterr().err


def test_the_models_of_the_command_line_are_those_of_the_fit() -> None:
    """The command line, which imports nothing to say its options, names each model."""
    assert get_args(Model) == MODELS
