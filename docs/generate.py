"""Writes the generated pages: commands.md, recipe.md and stages.md, from the code they describe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curate.cli import cli as curate_cli
from curate.mixture import MixSpec
from curate.mixture.rules import CurriculumStage, GroupMax, InnerMix, Temperature
from curate.packing import PackSpec
from curate.recipe import Recipe
from curate.registry import BUILT_IN, stage_class
from curate.sources import SourceSpec
from curate.stage import Composite, Edit, Filter, Only, Score, Select, Stage
from curate.steps.spec import SplitSpec, TokenizeSpec
from train.cli import train as train_cli
from train.config import TrainConfig
from train.grid.config import AnswerSpec, GridConfig
from train.grid.objective import Objective
from train.grid.space import Constraint, Space
from train.grid.strategies import Adaptive, Full, Halving, Random, Sobol, Sweep

DOCS = Path(__file__).resolve().parent
NOTE = "<!-- written by docs/generate.py (`make docs`); edit the code, not this page -->\n"
SHAPES: tuple[tuple[type[Stage], str], ...] = (
    (Score, "writes columns"),
    (Filter, "drops rows"),
    (Edit, "edits rows"),
    (Select, "compares rows"),
    (Composite, "scores, then drops rows"),
)


def pages() -> dict[str, str]:
    """Returns each generated page by file name."""
    return {
        "commands.md": NOTE + "\n".join(["# Commands\n", *_group(curate_cli, "curate"), *_group(train_cli, "train")]),
        "recipe.md": NOTE + "\n".join(_recipe()),
        "train-config.md": NOTE + "\n".join(_model("Training configuration", TrainConfig, "# ")),
        "grid-config.md": NOTE + "\n".join(_grid()),
        "stages.md": NOTE + "\n".join(_stages()),
    }


def _group(group: click.Group, path: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _group(command, f"{path} {name}")
        else:
            yield from _command(command, f"{path} {name}")


def _command(command: click.Command, path: str) -> Iterator[str]:
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    yield f"## `{' '.join([path, *arguments])}`\n"
    yield re.sub(r"\s+", " ", command.help or "") + "\n"
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        yield "| option | meaning |\n| --- | --- |"
        for option in options:
            yield f"| `{', '.join(option.opts)}` | {_cell(option.help or '')} |"
        yield ""


def _recipe() -> Iterator[str]:
    yield "# The recipe\n"
    yield "Every key of a recipe. [concepts.md](concepts.md) says how they work together, [stages.md](stages.md) lists"
    yield "the stages. Paths are relative to the folder the command runs in.\n"
    sections: tuple[tuple[str, type[BaseModel]], ...] = (
        ("Top level", Recipe),
        ("`sources:` (each entry)", SourceSpec),
        ("`only:` and `protect:` of a stage", Only),
        ("`split:`", SplitSpec),
        ("`tokenize:`", TokenizeSpec),
        ("`mix:`", MixSpec),
        ("`mix: temperature:`", Temperature),
        ("`mix: inside:` (each entry)", InnerMix),
        ("`mix: per_group_max:`", GroupMax),
        ("`mix: curriculum:` (each entry)", CurriculumStage),
        ("`pack:`", PackSpec),
    )
    for title, model in sections:
        yield from _model(title, model, "## ")


def _grid() -> Iterator[str]:
    yield "# The search file\n"
    yield "Every key of the file `train grid` reads; [grid.md](grid.md) says how they work together. Paths are relative to the"
    yield "folder the command runs in.\n"
    yield from _model("Top level", GridConfig, "## ")
    yield from _model("`space:`", Space, "## ")
    yield from _model("`space: constraints:` (each entry)", Constraint, "## ")
    for strategy in (Sweep, Adaptive, Sobol, Random, Full, Halving):
        name = strategy.model_fields["name"].default
        yield from _model(f"`strategy: {{name: {name}}}`", strategy, "## ", (strategy.__doc__ or "").strip())
    yield from _model("`objective:`", Objective, "## ")
    yield from _model("`answers:`", AnswerSpec, "## ")


def _model(title: str, model: type[BaseModel], mark: str, said: str = "") -> Iterator[str]:
    yield f"{mark}{title}\n"
    if said:
        yield said.splitlines()[0] + "\n"
    yield "| key | default | meaning |\n| --- | --- | --- |"
    for name, field in model.model_fields.items():
        if field.description is None:  # the name a choice of models is told apart by
            continue
        yield f"| `{_key(name, field)}` | {_default(field)} | {_cell(field.description or '')}{_choices(field)} |"
    yield ""


def _key(name: str, field: FieldInfo) -> str:
    choices = getattr(field.validation_alias, "choices", None)
    return str(choices[0]) if choices else name


def _stages() -> Iterator[str]:
    yield "# Stages\n"
    yield "Each stage with its parameters and reason codes; the linked pages tell what it does and where it stops.\n"
    for name in BUILT_IN:
        cls = stage_class(name)
        shape = next(text for base, text in SHAPES if issubclass(cls, base))
        yield f"## [{name}](stages/{name}.md)\n"
        yield f"{(cls.__doc__ or '').strip().splitlines()[0]} *{shape}; kinds: {', '.join(cls.kinds)}; version {cls.version}*\n"
        yield "| parameter | default | meaning |\n| --- | --- | --- |"
        for field_name, field in cls.model_fields.items():
            yield f"| `{field_name}` | {_default(field)} | {_cell(field.description or '')}{_choices(field)} |"
        yield f"\nReasons: {', '.join(f'`{r}`' for r in cls.reasons)}\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value in ((), {}, ""):
        return "none"
    return (
        f"`{', '.join(map(str, value))}`"
        if isinstance(value, tuple)
        else f"`{str(value).lower() if isinstance(value, bool) else value}`"
    )


def _choices(field: FieldInfo) -> str:
    names = [a for a in get_args(field.annotation) if isinstance(a, str)]
    joined = " or ".join(names)
    return f" ({joined})" if names else ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def main() -> None:
    """Writes the pages."""
    for name, text in pages().items():
        (DOCS / name).write_text(text.rstrip() + "\n")


if __name__ == "__main__":
    main()
