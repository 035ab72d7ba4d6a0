"""`curate explain`: one row's story."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.last import last_recipe
from curate.explain import explain as tell
from curate.plan import make_plan
from curate.recipe import load_recipe


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[RECIPE] ID_OR_TEXT")
@click.option(
    "--limit", type=click.IntRange(1), default=3, help="How many rows to tell about when a text matches more."
)
def explain(words: tuple[str, ...], limit: int) -> None:
    """Tell the story of a row: source file and line, each change as a diff, its end.

    ID_OR_TEXT is a row's id (its first digits will do) or a piece of text the row holds. Without RECIPE it is the one
    run last in this folder.
    """
    if len(words) > 2:
        raise click.UsageError("one recipe and one id or text; put a text with blanks in quotes")
    recipe = Path(words[0]) if len(words) == 2 else last_recipe()
    for story in tell(make_plan(load_recipe(recipe)), words[-1], limit):
        click.secho(f"{story.id}  {story.origin}", bold=True)
        for line in story.before:
            click.echo(f"    {line}")
        for line in story.lines or ["nothing changed it"]:
            click.echo(f"  {line}" if not line.startswith("    ") else line)
