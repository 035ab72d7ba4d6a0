"""`curate store`: what the store holds, and cleaning it."""

from __future__ import annotations

from pathlib import Path

import click

from curate.listing import store_lines
from curate.places import place
from curate.store import Store
from curate.store.gc import collect
from curate.store.lock import locked

_STORE = click.option("--store", "root", default=".curate/store", help="The store's folder or URL.")


@click.group()
def store() -> None:
    """List or clean the finished steps kept on disk."""


@store.command()
@_STORE
def ls(root: str) -> None:
    """List the steps in the store: size, when last used, finished or begun."""
    for line in store_lines(Store(place(root))):
        click.echo(line)


@store.command()
@_STORE
@click.option("--keep", "recipes", multiple=True, type=click.Path(path_type=Path), help="Keep this recipe's steps.")
@click.option("--days", type=click.IntRange(0), default=None, help="Remove what was not used for this many days.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def gc(root: str, recipes: tuple[Path, ...], days: int | None, dry_run: bool) -> None:
    """Remove steps: those no recipe given by --keep needs, or those unused for --days."""
    from curate.plan import make_plan
    from curate.recipe import load_recipe

    if not recipes and days is None:
        raise click.UsageError("say what may go: --days N, or --keep RECIPE for each recipe whose steps stay")
    keep = {p.artifact.folder.name for path in recipes for p in make_plan(load_recipe(path)).steps}
    freed = 0
    where = place(root)
    with locked(where):
        for folder, size in collect(Store(where), keep=keep if recipes else None, days=days, dry_run=dry_run):
            click.echo(f"{'would remove' if dry_run else 'removed'}  {folder}  {size / 1e6:,.1f} MB")
            freed += size
    click.echo(f"{freed / 1e6:,.1f} MB")
