"""The data of the two arms: the very rows a finished run trains on, and the same with the domain's answers shuffled."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.plan import make_plan
from curate.recipe import load_recipe
from curate.records import records
from curate.run import ingested_view

Row = dict[str, Any]


def training_rows(recipe: Path) -> dict[str, list[Row]]:
    """Returns the cleaned rows of a finished run by source, without those held out for validation."""
    plan = make_plan(load_recipe(recipe))
    out = held_out(Path(plan.recipe.output))
    view = ingested_view(plan)
    for step in plan.of("rows", "select"):
        view = view.through(step.artifact.folder)
    found: dict[str, list[Row]] = {source.name: [] for source in plan.recipe.sources}
    for part in range(len(view)):
        rows = view.read(part)
        for id_, source, record in zip(rows["id"], rows["source"], records(rows), strict=True):
            if id_ not in out:
                found[source].append({key: record[key] for key in ("messages", "tools") if record.get(key)})
    return found


def held_out(output: Path) -> set[str]:
    """Returns the ids of a run's validation rows."""
    found: set[str] = set()
    for file in sorted((output / "validation").glob("*/data-*.arrow")):
        with pa.memory_map(str(file)) as mapped, pa.ipc.open_stream(mapped) as reader:
            for batch in reader:
                found |= {id_ for ids in batch.column("doc_ids").to_pylist() for id_ in ids}
    return found


def shuffle_answers(dialogues: list[Row], seed: int = 17) -> list[Row]:
    """Returns dialogues with all assistant messages dealt anew, none to the dialogue it comes from."""
    places = [
        (d, t) for d, row in enumerate(dialogues) for t, m in enumerate(row["messages"]) if m["role"] == "assistant"
    ]
    order = list(range(len(places)))
    rng = random.Random(seed)
    rng.shuffle(order)
    while own := [i for i, j in enumerate(order) if places[i][0] == places[j][0]]:
        for i in own:
            j = rng.randrange(len(order))
            order[i], order[j] = order[j], order[i]
    dealt = [{**row, "messages": list(row["messages"])} for row in dialogues]
    for (to, at), j in zip(places, order, strict=True):
        of, turn = places[j]
        dealt[to]["messages"][at] = dialogues[of]["messages"][turn]
    return dealt


def write_sources(sources: dict[str, list[Row]], folder: Path) -> dict[str, Path]:
    """Writes one JSONL file for each source and returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.jsonl" for name in sources}
    for name, rows in sources.items():
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        paths[name].write_text("".join(lines), encoding="utf-8")
    return paths
