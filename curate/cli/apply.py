"""`curate apply`: one stage on one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from curate.apply import Applied, apply_stage
from curate.files import atomic_open
from curate.recipe import build_stage
from curate.recipe.lines import parse


@click.command()
@click.argument("stage")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the stage; repeatable.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="Write here instead of stdout.")
@click.option("--format", "shape", default=None, help="Shape of the records, when it can't be seen.")
def apply(stage: str, file: Path, settings: tuple[str, ...], output: Path | None, shape: str | None) -> None:
    """Run STAGE on FILE and write JSON Lines of the input's own shape, ids kept. What happened is said on stderr."""
    built = build_stage(stage, parameters(settings))
    tally = Applied()
    found = apply_stage(built, file, tally, **({"format": shape} if shape else {}))
    if output is None:
        for record in found:
            click.echo(orjson.dumps(record).decode())
    else:
        with atomic_open(output) as handle:
            for record in found:
                handle.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
    click.echo(f"{tally.records:,} records in, {tally.written:,} out, {tally.refused:,} unreadable", err=True)
    for (action, reason), number in sorted(tally.reasons.items()):
        click.echo(f"{number:>10,}  {action:10} {reason}", err=True)


def parameters(settings: tuple[str, ...]) -> dict[str, Any]:
    """Returns the parameters in ``key=value`` pairs, values as YAML."""
    parameters: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set takes KEY=VALUE, found {setting!r}")
        parameters[key.strip()] = parse(value, f"--set {key}").data
    return parameters
