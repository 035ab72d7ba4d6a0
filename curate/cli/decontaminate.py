"""`curate decontaminate`: the self-test of decontamination."""

from __future__ import annotations

import glob

import click

from curate.recipe import build_stage

_SETS = ("data_samples/eval/*.jsonl",)
_ROWS = tuple(
    f"data_samples/{name}" for name in ("general/*.json", "math/*.jsonl", "documents/*.jsonl", "tools/*.jsonl")
)


@click.command()
@click.option("--self-test", "testing", is_flag=True, required=True, help="Plant items in clean rows and count.")
@click.option(
    "--against", multiple=True, metavar="FILES", help="Evaluation files; repeatable. Default: the sample data's."
)
@click.option("--rows", multiple=True, metavar="FILES", help="Clean rows; repeatable. Default: the sample data's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the stage; repeatable.")
@click.option("--examples", type=click.IntRange(0), default=5, help="How many misses and flagged rows are shown.")
def decontaminate(
    testing: bool, against: tuple[str, ...], rows: tuple[str, ...], settings: tuple[str, ...], examples: int
) -> None:
    """Measure the stage `decontaminate`: how many planted items it finds, and how many clean rows it flags.

    Items of the evaluation files are planted in clean rows verbatim, wrapped anew, inside chatter, in other widths,
    punctuation, case and script, with options shuffled and with typing slips. To decontaminate data, put the stage in a
    recipe, or try `curate apply decontaminate FILE --set against=FILES`.
    """
    from curate.cli.apply import parameters
    from curate.self_test import lines, self_test
    from curate.stages.decontaminate.decontaminate import Decontaminate

    stage = build_stage(
        "decontaminate", {**parameters(settings), "against": list(against or _samples(_SETS, "--against"))}
    )
    assert isinstance(stage, Decontaminate)
    for line in lines(self_test(stage, rows or _samples(_ROWS, "--rows")), examples=examples):
        click.echo(line)


def _samples(patterns: tuple[str, ...], option: str) -> tuple[str, ...]:
    if not all(glob.glob(pattern) for pattern in patterns):
        raise click.UsageError(f"the sample data is not in this folder ({patterns[0]}); say {option} FILES")
    return patterns
