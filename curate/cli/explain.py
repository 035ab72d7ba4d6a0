"""`curate explain`: one row's story."""

from __future__ import annotations

from pathlib import Path

import click

from curate.explain import explain as tell
from curate.plan import make_plan
from curate.recipe import load_recipe


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("wanted", metavar="ID_OR_TEXT")
@click.option(
    "--limit", type=click.IntRange(1), default=3, help="How many rows to tell about when a text matches more."
)
def explain(recipe: Path, wanted: str, limit: int) -> None:
    """Tell the story of a row of RECIPE: source file and line, each change as a diff, its end.

    ID_OR_TEXT is a row's id (its first digits will do) or a piece of text the row holds.
    """
    for story in tell(make_plan(load_recipe(recipe)), wanted, limit):
        click.secho(f"{story.id}  {story.origin}", bold=True)
        for line in story.before:
            click.echo(f"    {line}")
        for line in story.lines or ["nothing changed it"]:
            click.echo(f"  {line}" if not line.startswith("    ") else line)
