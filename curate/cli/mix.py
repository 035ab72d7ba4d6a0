"""`curate mix`: what a mixture takes of each group, and how two of them differ."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from curate.cli.last import last_recipe
from curate.cli.mix_peers import RECIPE, export_mix, import_mix
from curate.errors import StoreError
from curate.files import write_json
from curate.mixed import Mixed, find_mixed
from curate.mixture.diff import compare, summary
from curate.mixture.lock import lock_hash
from curate.mixture.words import aligned, explain, table


@click.group()
def mix() -> None:
    """Show, explain, compare, lock, import and export mixtures; each is resolved over a pool, nothing is run."""


def find(name: str, recipe: Path | None) -> Mixed:
    """Returns the mixture a name stands for, over the recipe named or run last."""
    return find_mixed(name, lambda: recipe or last_recipe())


@mix.command()
@click.argument("name", metavar="MIX")
@RECIPE
@click.option(
    "--epochs", type=click.FloatRange(0, min_open=True), default=1, help="Count passes times this much training."
)
@click.option("--json", "as_json", is_flag=True, help="Print the lock as JSON.")
def show(name: str, recipe: Path | None, epochs: float, as_json: bool) -> None:
    """Show what MIX takes of each group: asked, got, passes, rows, tokens. MIX is a recipe, a file with a mix, a lock,
    an output folder or a step `mix-…` of the store; domain groups have a star.
    """
    found = find(name, recipe)
    if as_json:
        click.echo(orjson.dumps(found.mixing.lock(found.mixture, found.spec), option=orjson.OPT_INDENT_2).decode())
        return
    for line in aligned(table(found.mixture, found.spec, epochs)):
        click.echo(line)
    if any(group.domain for group in found.mixture.groups):
        click.echo("* domain data")
    for note in found.mixture.notes:
        click.echo(f"note: {note}")
    lock = found.mixing.lock(found.mixture, found.spec)
    if lock["domain_to_general"] is not None:
        click.echo(f"domain to general: 1:{lock['domain_to_general']:.4g}")
    click.echo(f"stream {found.mixture.sha256[:16]}  lock {lock_hash(lock)[:16]}")


@mix.command("explain")
@click.argument("name", metavar="MIX")
@RECIPE
def explain_mix(name: str, recipe: Path | None) -> None:
    """Say what MIX means, key by key, with the numbers of this pool."""
    found = find(name, recipe)
    for line in explain(found.mixture, found.spec):
        click.echo(line)


@mix.command()
@click.argument("before")
@click.argument("after")
@RECIPE
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diff(before: str, after: str, recipe: Path | None, as_json: bool) -> None:
    """Show which places AFTER has that BEFORE had not, and the other way round, for each ability."""
    one, other = (found.mixing.stream(found.mixture) for found in (find(before, recipe), find(after, recipe)))
    changes = compare(one, other)
    if as_json:
        body = [{**vars(change), "swapped": change.swapped} for change in changes]
        click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())
        return
    cells = [["ability", "before", "after", "added", "removed", "swapped", "trained tokens"]]
    for c in changes:
        gained = f"{c.trained_added - c.trained_removed:+,}"
        cells.append([c.ability, *(f"{n:,}" for n in (c.before, c.after, c.added, c.removed, c.swapped)), gained])
    for line in aligned(cells):
        click.echo(line)
    click.echo(summary(changes, one, other))


@mix.command()
@click.argument("name", metavar="MIX")
@RECIPE
@click.option("-o", "--out", type=click.Path(path_type=Path), default=None, help="Write the lock here.")
@click.option(
    "--check", type=click.Path(path_type=Path), default=None, help="Compare with this lock; exit 1 if it differs."
)
def lock(name: str, recipe: Path | None, out: Path | None, check: Path | None) -> None:
    """Resolve MIX and print, write or check its lock: spec, pool, what each group got, the digest of the stream."""
    found = find(name, recipe)
    content = found.mixing.lock(found.mixture, found.spec)
    if out is not None:
        write_json(out, content)
    if check is not None and orjson.loads(check.read_bytes()).get("stream") != content["stream"]:
        raise StoreError(f"{check}: another stream than that of {name} ({content['stream']['sha256'][:16]})")
    click.echo(f"{content['rows']:,} places  stream {content['stream']['sha256']}  lock {lock_hash(content)}")


mix.add_command(import_mix)
mix.add_command(export_mix)
