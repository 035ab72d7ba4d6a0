"""The command line: lazy, quiet, with a table at the end and an exit code for each kind of failure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from train.cli import main

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "trl", "datasets", "polars", "pyarrow")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Returns the exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_help_imports_nothing_heavy() -> None:
    """`train --help` and `train sft --help` answer without torch, transformers, TRL or polars."""
    code = (
        "import sys; from train.cli import train\n"
        "for words in (['--help'], ['sft', '--help'], ['chat', '--help']):\n"
        "    train(words, standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "--data" in done.stdout


def test_a_run_prints_the_losses_and_chat_answers(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    shards: Path,
    model_folder: Path,
) -> None:
    """`sft` ends in a table with each ability, writes result.json, keeps quiet otherwise; `chat --prompt` answers."""
    out = tmp_path / "run"
    arguments = ["sft", "--data", str(shards), "--model", str(model_folder), "--out", str(out)]
    steps = ["--set", "max_steps=2", "--set", "global_batch=2", "--set", "save_steps=0"]
    assert call(monkeypatch, *arguments, *steps) == 0
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines() if line][1:5] == [
        "ability",
        "knowledge",
        "service",
        "all",
    ]
    assert said.err.splitlines()[-1].startswith("step 2/2  loss ")
    assert json.loads((out / "result.json").read_text())["steps"] == 2
    assert call(monkeypatch, *arguments, *steps) == 1
    assert "holds an earlier run" in capsys.readouterr().err
    assert call(monkeypatch, "chat", str(out), "--prompt", "refund", "--max-new-tokens", "3") == 0


def test_exit_codes_tell_user_errors_from_wrong_calls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """1 for what the message says how to mend, 2 for a call that can't be understood."""
    assert call(monkeypatch, "sft", "--data", str(tmp_path), "--set", "modle=x") == 1
    assert "unknown field 'modle'; did you mean 'model'?" in capsys.readouterr().err
    assert call(monkeypatch, "sft", "--data", str(tmp_path), "--model", "x") == 1
    assert "no manifest.json" in capsys.readouterr().err
    assert call(monkeypatch, "sft") == 2
    assert call(monkeypatch, "fly") == 2
