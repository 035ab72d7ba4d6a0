"""The `train` command line: parse, call one function, print; a command's module is imported only when it runs."""

from __future__ import annotations

import importlib
import os
import shutil
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
    "grid": "train.grid.command:search_grid",
    "grid crew": "train.grid.crew:run_crew",
    "grid plan": "train.grid.planned:plan_grid",
    "mixlaw fit": "train.mixlaw.commands:fit_tables",
    "mixlaw predict": "train.mixlaw.commands:predict_table",
    "mixlaw optimum": "train.mixlaw.commands:propose_mix",
    "mixlaw wish": "train.mixlaw.commands:Wish",
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
FILE = click.Path(dir_okay=False, path_type=Path)
MODELS = ("auto", "ridge", "loglinear", "dmo", "power", "gp", "lightgbm")


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


@train.command()
@click.argument("config", metavar="GRID.YAML", type=FILE)
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="processes, one GPU each")
@click.option(
    "--threads", type=click.IntRange(min=1), help="CPU threads of each worker  [default: its part of the cores]"
)
@click.option("--dry-run", is_flag=True, help="say what would be run, and run nothing")
def grid(config: Path, workers: int, threads: int | None, dry_run: bool) -> None:
    """Searches the mixture that trains best, by short runs of a small model over one pool. Finished runs are kept:
    started again, or several times on one folder from any machine, it goes on where it stands.
    """
    if dry_run:
        click.echo("\n".join(_load("grid plan")(config)))
        return
    line = _Line(shown=True)
    try:
        if workers > 1:
            cores = threads or max(1, len(os.sched_getaffinity(0)) // workers)
            click.echo(_load("grid crew")(config, workers, cores, line.say).rstrip())
            return
        ended = _load("grid")(config, line.say, threads)
    except KeyboardInterrupt:
        click.echo("\nstopped; finished runs are kept, the same command goes on from here", err=True)
        sys.exit(130)
    line.end()
    click.echo(ended.text)


@train.group()
def mixlaw() -> None:
    """Learns how losses follow from the mixture, from the runs of any experiment."""


@mixlaw.command("fit")
@click.option("--mixtures", required=True, type=FILE, help="CSV: one row a run, one column a domain, an `index` column")
@click.option("--losses", required=True, type=FILE, help="CSV: one column a target, rows matched by `index`")
@click.option("--target", "targets", multiple=True, metavar="COLUMN", help="only this target; may be repeated")
@click.option("--model", default="auto", show_default=True, type=click.Choice(MODELS), help="auto: by evidence")
@click.option("--seed", default=0, show_default=True, help="of the folds and shuffles")
@click.option("--workers", type=click.IntRange(min=1), help="processes, a target each  [default: one for each core]")
@click.option("--out", "-o", default="law.json", show_default=True, type=FILE, help="file of the law")
def fit_law(
    mixtures: Path, losses: Path, targets: tuple[str, ...], model: str, seed: int, workers: int | None, out: Path
) -> None:
    """Fits surrogates to runs, chooses or combines them by their errors on left-out mixes, and prints the evidence."""
    click.echo(_load("mixlaw fit")(mixtures, losses, targets, model, seed, workers or os.cpu_count() or 1, out))


@mixlaw.command("predict")
@click.argument("law", type=FILE)
@click.option("--mixtures", required=True, type=FILE, help="CSV: one row a mixture, the domains of the law")
@click.option("--out", "-o", default="pred.csv", show_default=True, type=FILE, help="file of the predictions")
def predict_law(law: Path, mixtures: Path, out: Path) -> None:
    """Predicts each target of unseen mixtures, with a 90 % interval of a new run."""
    click.echo(_load("mixlaw predict")(law, mixtures, out))


@mixlaw.command("optimum")
@click.argument("law", type=FILE)
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="TARGET=W",
    help="weight of a target, below 0: higher is better [all 1]",
)
@click.option("--cap", "caps", multiple=True, metavar="DOMAIN=SHARE", help="largest share of a domain")
@click.option("--prior", type=FILE, help="CSV of one row: the shares to stay near  [default: the mean of the runs]")
@click.option("--pull", default=0.01, show_default=True, type=click.FloatRange(min=0), help="strength of the KL pull")
@click.option("--seed", default=0, show_default=True, help="of the search and the draws")
@click.option("--out", "-o", type=FILE, help="YAML file with the `mix:` to paste into a recipe")
def optimum_law(
    law: Path,
    weights: tuple[str, ...],
    caps: tuple[str, ...],
    prior: Path | None,
    pull: float,
    seed: int,
    out: Path | None,
) -> None:
    """Proposes the shares of least weighted relative loss under caps, pulled to a prior, with credible intervals."""
    wish = _load("mixlaw wish")(_numbers("--weight", weights), _numbers("--cap", caps), prior, pull)
    click.echo(_load("mixlaw optimum")(law, wish, seed, out))


def _numbers(option: str, given: tuple[str, ...]) -> dict[str, float]:
    """Reads NAME=NUMBER settings."""
    found = {}
    for text in given:
        name, _, number = text.rpartition("=")
        try:
            found[name] = float(number)
        except ValueError:
            name = ""
        if not name:
            raise TrainError(f"{option} {text}: write NAME=NUMBER, e.g. {option} web=0.5")
    return found


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

    def say(self, text: str, passes: bool = False) -> None:
        """Shows a line; off a terminal those that pass are left out."""
        if self.live:
            click.echo(f"\r{text[: _columns()] if passes else text}\x1b[K", nl=not passes, err=True)
        elif not passes:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Shows advice."""
        if self.shown:
            click.echo(f"warning: {text}", err=True)

    def end(self) -> None:
        """Leaves the live line."""
        if self.shown and self.live:
            click.echo(err=True)


def _columns() -> int:
    return shutil.get_terminal_size().columns - 1


def _is_first_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _load(command: str) -> Any:
    """Imports what a command calls, with the libraries' chatter off."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if command.startswith("mixlaw"):  # one thread: small matrices gain nothing from more, and sums keep one order
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    warnings.simplefilter("ignore")
    module, _, name = CALLED[command].partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("train", "curate"):
            raise
        extra = next((name for name in ("mixlaw", "grid") if command.startswith(name)), "train")
        raise TrainError(
            f"`train {command}` needs {error.name}; install it with: pip install 'curate-train[{extra}]'"
        ) from error


if __name__ == "__main__":  # torchrun --nproc-per-node 2 -m train.cli sft …
    main()
