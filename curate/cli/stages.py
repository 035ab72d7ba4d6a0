"""`curate stages`: the stages there are, and what each takes."""

from __future__ import annotations

import click

from curate.listing import stage_lines, summary
from curate.registry import stage_class, table


@click.command()
@click.argument("name", required=False)
def stages(name: str | None) -> None:
    """List the stages, or describe the parameters and reasons of stage NAME."""
    if name is None:
        for known in table():
            click.echo(f"{known:18}{summary(stage_class(known))}")
        return
    for line in stage_lines(name):
        click.echo(line)
