"""`curate plan`: what a run would do."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from curate.listing import plan_data, plan_lines
from curate.plan import make_plan
from curate.recipe import load_recipe


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plan(recipe: Path, as_json: bool) -> None:
    """Show RECIPE's sources and steps, which steps are cached, and why the others are not. Nothing is run."""
    made = make_plan(load_recipe(recipe))
    if as_json:
        click.echo(orjson.dumps(plan_data(made), option=orjson.OPT_INDENT_2).decode())
        return
    for line in plan_lines(made):
        click.echo(line)
