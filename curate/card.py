"""The dataset card: what an output holds, in the README of its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.plan import Plan

if TYPE_CHECKING:
    from curate.shards import Manifest

_HEAD = """\
---
{tags}---

# {name}

Made by `curate run` from a recipe; `recipe.lock.yaml` holds it with every default, `ledger/` says what happened to
each row that is not here, `quarantine/` keeps what could not be read.
"""

_USE = """
## Use

```python
from datasets import load_from_disk
train = load_from_disk("train")
```

or `train sft --data . --model MODEL --out DIR`. Columns: `input_ids`, `labels` (-100 = no loss), `seq_lengths` (tokens
of each document in the sequence), `source_ids`, `doc_ids`.
"""


def dataset_card(plan: Plan, manifest: Manifest | None, tally: dict[str, Any]) -> str:
    """Returns the card as Markdown; ``manifest`` is None for an output of rows alone."""
    tags = "tags:\n- sft\n- curate\n" if manifest else "tags:\n- curate\n"
    parts = [_HEAD.format(name=plan.recipe.name, tags=tags), _sources(plan, tally), _stages(plan)]
    if manifest:
        parts += [_shards(manifest), _USE]
    return "".join(parts)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def _table(head: list[str], lines: list[list[object]]) -> str:
    rows: list[list[Any]] = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(_cell(v) for v in row) + " |\n" for row in rows)


def _sources(plan: Plan, tally: dict[str, Any]) -> str:
    lines: list[list[object]] = []
    for planned in plan.of("ingest"):
        assert planned.source is not None
        spec = planned.source.spec
        mine = tally.get(spec.name, {})
        counts = planned.artifact.meta["counts"]
        lines.append(
            [
                spec.name,
                spec.ability or spec.name,
                "yes" if spec.domain else "no",
                f"{counts['rows']:,}",
                f"{mine.get('validation_rows', 0):,}",
                f"{mine.get('packed_rows', 0):,}",
                f"{mine.get('packed_trained', 0):,}",
            ]
        )
    head = ["source", "ability", "domain", "rows read", "validation rows", "rows packed", "trained tokens"]
    return "\n## Sources\n\n" + _table(head, lines)


def _stages(plan: Plan) -> str:
    lines: list[list[object]] = []
    for planned in plan.of("rows", "select", "tokenize"):
        counts = planned.artifact.meta["counts"]
        gone = counts["dropped"] + counts["quarantined"]
        lines.append(
            [
                planned.step.name,
                f"{counts['rows_in']:,}",
                f"{gone:,}",
                f"{counts['edited']:,}",
                f"{counts['rows_out']:,}",
            ]
        )
    return "\n## Stages\n\n" + _table(["step", "rows in", "dropped", "edited", "rows out"], lines)


def _shards(manifest: Manifest) -> str:
    lines: list[list[object]] = []
    for place, shards in manifest.shards.items():
        rows, tokens, trained = (sum(getattr(s, n) for s in shards) for n in ("rows", "tokens", "trained_tokens"))
        lines.append([place, f"{rows:,}", f"{tokens:,}", f"{trained:,}"])
    packing = manifest.packing
    note = f"\nSequences of {packing.length:,} tokens, {packing.fill:.2%} full.\n"
    return "\n## Shards\n\n" + _table(["folder", "sequences", "tokens", "trained tokens"], lines) + note
