"""`curate mix import` and `export`: mixtures of other trainers."""

from __future__ import annotations

from pathlib import Path

import click

from curate.cli.last import last_recipe
from curate.files import write_bytes
from curate.mixed import find_mixed
from curate.mixing import open_mixing
from curate.mixture.words import aligned
from curate.peering import as_yaml, export_config, import_config, read_config
from curate.plan import make_plan
from curate.recipe import load_recipe

RECIPE = click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    default=None,
    help="The recipe whose pool a mixture is resolved over; default: the one run last here.",
)
_TRAINERS = "trl, axolotl, llama-factory, ms-swift or open-instruct"


@click.command("import")
@click.argument("config", type=click.Path(path_type=Path))
@RECIPE
@click.option("--from", "peer", default=None, help=f"Whose config it is: {_TRAINERS}; default: by its keys.")
@click.option("--map", "pairs", multiple=True, metavar="DATASET=SOURCE", help="Which source a dataset is.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=None, help="Write the mix that does the same here."
)
def import_mix(config: Path, recipe: Path | None, peer: str | None, pairs: tuple[str, ...], out: Path | None) -> None:
    """Show what another trainer's CONFIG (YAML, JSON or shell script) would really yield on this pool, beside what it
    asks for, and the mix that does the same here.
    """
    mixing = open_mixing(make_plan(load_recipe(recipe or last_recipe())))
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise click.UsageError(f"--map {wrong[0]}: write DATASET=SOURCE")
    found = import_config(read_config(config), mixing, peer, dict(pair.rsplit("=", 1) for pair in pairs))
    click.echo(f"{found.peer}:")
    for line in aligned(found.table()):
        click.echo(line)
    for note in found.notes:
        click.echo(f"note: {note}")
    text = as_yaml({"mix": found.spec()})
    if out is None:
        click.echo(f"\nthe same rows of each source, here:\n{text}", nl=False)
    else:
        write_bytes(out, text.encode())


@click.command("export")
@click.argument("name", metavar="MIX")
@RECIPE
@click.option("--to", "peer", required=True, help=f"For which trainer: {_TRAINERS}.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=None, help="Write the config here; default: print it."
)
def export_mix(name: str, recipe: Path | None, peer: str, out: Path | None) -> None:
    """Write MIX as another trainer's config, and say what is lost on the way."""
    config, outcome, lost = export_config(find_mixed(name, lambda: recipe or last_recipe()), peer)
    text = as_yaml(config)
    if out is None:
        click.echo(text)
    else:
        write_bytes(out, text.encode())
    for line in aligned(outcome.table()):
        click.echo(line, err=out is None)
    for line in lost:
        click.echo(f"lost: {line}", err=out is None)
