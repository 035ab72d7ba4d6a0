"""The `train` command line: parse, call one function, print; a command's module is imported only when it runs."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from curate.errors import CurateError, TrainError
from train.config import load_config, parse_setting

CALLED = {
    "shards": "train.data:open_shards",
    "sft": "train.sft:run_sft",
    "chat": "train.chat:open_chat",
}
ENVIRONMENT = {
    "GOMP_SPINCOUNT": "1000",  # threads that spin while they wait halve the speed of a busy machine
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
FOLDER = click.Path(file_okay=False, path_type=Path)


def main() -> None:
    """Runs the command line: exit code 0, 1 for what the user can mend, 2 for a wrong call."""
    try:
        train(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped; `--resume` goes on from the last checkpoint", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CurateError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def train() -> None:
    """Trains language models on the packed shards of `curate run`, and talks to the result."""


@train.command()
@click.option("--data", required=True, type=FOLDER, help="output folder of `curate run`")
@click.option("--model", help="folder (only config.json: random weights), hub id or .gguf file")
@click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=Path), help="train.yaml")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="one field of the config, e.g. lora.r=8")
@click.option("--out", "-o", type=FOLDER, help="folder of the run  [default: DATA-sft]")
@click.option("--resume", is_flag=True, help="go on from the last checkpoint in --out")
@click.option("--overwrite", is_flag=True, help="remove what an earlier run left in --out and start over")
def sft(
    data: Path,
    model: str | None,
    config_file: Path | None,
    settings: tuple[str, ...],
    out: Path | None,
    resume: bool,
    overwrite: bool,
) -> None:
    """Fine-tunes a model on packed shards; prints the validation loss of every ability before and after."""
    given = dict(parse_setting(text) for text in settings)
    config = load_config(config_file, given | ({"model": model} if model else {}))
    if ":/" in str(data):
        raise TrainError(f"--data {data}: training maps its shards, so they must be local: copy the folder first")
    out = out or data.parent / f"{data.name}-sft"
    _load("shards")(data)  # a wrong folder is told at once, before anything heavy is imported
    line = _Line(shown=_is_first_process())
    result = _load("sft")(config, data, out, resume, overwrite, line.progress, line.warn)
    line.end()
    if line.shown:
        share = f" ({result.trainable:,} trained)" if result.trainable != result.parameters else ""
        click.echo(f"{result.steps} steps, {result.parameters:,} parameters{share}, {result.seconds:.0f} s\n")
        click.echo(result.table())
        click.echo(
            f"\nmodel: {Path(result.folder) / result.model}   mix {result.mix[:16]}   manifest {result.manifest[:16]}"
        )


@train.command()
@click.argument("folder", type=FOLDER)
@click.option("--prompt", help="say one thing, print the answer and leave")
@click.option("--system", help="system message")
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(min=0), help="0: greedy")
@click.option(
    "--max-new-tokens", default=256, show_default=True, type=click.IntRange(min=1), help="longest answer, in tokens"
)
def chat(folder: Path, prompt: str | None, system: str | None, temperature: float, max_new_tokens: int) -> None:
    """Talks to the model in FOLDER, the --out of a run; an empty line or end of input leaves."""
    talk = _load("chat")(folder, system, temperature, max_new_tokens)
    if prompt is not None:
        click.echo(talk.say(prompt))
        return
    with suppress(click.Abort):
        while text := click.prompt("you", default="", show_default=False).strip():
            click.echo(f"model: {talk.say(text)}")


class _Line:
    """One terminal line that follows the run; off a terminal, a line at each tenth of it."""

    def __init__(self, shown: bool) -> None:
        self.shown, self.live, self.tenth = shown, sys.stderr.isatty(), -1

    def progress(self, progress: Any) -> None:
        """Shows where the run stands."""
        if not self.shown:
            return
        if self.live:
            click.echo(f"\r{progress.text}\x1b[K", nl=False, err=True)
        elif (tenth := 10 * progress.step // progress.steps) > self.tenth:
            self.tenth = tenth
            click.echo(progress.text, err=True)

    def warn(self, text: str) -> None:
        """Shows advice."""
        if self.shown:
            click.echo(f"warning: {text}", err=True)

    def end(self) -> None:
        """Leaves the live line."""
        if self.shown and self.live:
            click.echo(err=True)


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _load(command: str) -> Any:
    """Imports what a command calls, with the libraries' chatter off."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.simplefilter("ignore")
    module, _, name = CALLED[command].partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("train", "curate"):
            raise
        raise TrainError(
            f"`train {command}` needs {error.name}; install the trainer with: pip install 'curate-train[train]'"
        ) from error


if __name__ == "__main__":  # torchrun --nproc-per-node 2 -m train.cli sft …
    main()
