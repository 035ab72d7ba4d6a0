"""Laws that hold for every registered stage: split, purity, conservation, keys, unknown parameters, declared reasons."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.errors import RecipeError
from curate.files import Digests
from curate.fingerprint import canonical_json, key_of
from curate.plan import content_digester
from curate.recipe import build_stage
from curate.registry import BUILT_IN, stage_class, table
from curate.rows import empty_rows
from curate.sources import SourceSpec, detect, read, resolve, units
from curate.stage import Composite, RowLocal, Select, Stage
from curate.steps.propose import propose

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "data_samples"
TOKENIZER = str(SAMPLES / "tokenizer")
PARAMETERS: dict[str, dict[str, Any]] = {
    "normalize": {"fullwidth": "half", "to_simplified": True},
    "strip_fillers": {"filler_only": "drop"},
    "forbid": {"terms": ["转人工", "人工客服"], "action": "cut_before"},
    "require": {"terms": ["您"]},
    "redact_pii": {},
    "language": {"keep": ["zh", "en"]},
    "length": {"min_chars": 40, "max_chars": 4000, "max_tokens": 400, "tokenizer": TOKENIZER},
    "repetition": {},
    "attach_profile": {"template": "客户：{gender}，{age}岁", "drop_rate": 0.3},
    "validate_chat": {},
    "truncate_history": {"max_source": 120, "max_target": 60, "expand": "every", "tokenizer": TOKENIZER},
    "exact_dedup": {},
    "minhash_dedup": {"threshold": 0.6, "on": "prompt"},
    "semantic_dedup": {"threshold": 0.85, "on": "prompt"},
    "decontaminate": {"against": [str(SAMPLES / "eval/service_mc.jsonl")]},
}
"""One use of each stage that changes something in the sample data."""


@pytest.fixture(scope="session")
def rows() -> pl.DataFrame:
    """Rows of every kind from the sample data, ids set."""
    frames = [_read("calls", "calls/calls_zh.jsonl"), _read("math", "math/math.jsonl")]
    frames += [_read("pairs", "preference/preference.json"), _read("judged", "preference/judged.jsonl")]
    frames += [_read("documents", "documents/documents.jsonl"), _read("tools", "tools/tool_calls.jsonl")]
    profile = pl.lit(orjson.dumps({"gender": "女", "age": 33}).decode())
    return pl.concat([f.head(110) for f in frames]).with_columns(profile=profile)


def _read(name: str, path: str) -> pl.DataFrame:
    spec = SourceSpec.model_validate(
        {"name": name, "path": str(SAMPLES / path), "ability": name, "domain": name == "calls"}
    )
    files = resolve(spec)
    shape = detect(spec, files)
    batches = [b.rows for unit in units(spec, files) for b in read(spec, shape, unit)]
    frame = pl.concat(batches)
    unique = pl.col("content_hash") + pl.int_range(pl.len()).cast(pl.String)
    ids = unique.str.slice(4).str.pad_end(32, "0").str.slice(0, 32)
    return frame.with_columns(id=ids, group=ids).drop("content_hash")


def flat(name: str) -> tuple[Stage, ...]:
    """Returns the stage, or a composite's parts."""
    stage = build_stage(name, PARAMETERS[name])
    return stage.parts() if isinstance(stage, Composite) else (stage,)


def through(stages: tuple[Stage, ...], frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the rows after row-local stages, and all their ledger lines without positions."""
    ledgers = []
    for stage in stages:
        assert isinstance(stage, RowLocal)
        delta, frame, _ = propose(stage, frame)
        ledgers.append(delta.ledger.drop("row"))
    return frame, pl.concat(ledgers)


def row_local(name: str) -> bool:
    """True for stages that judge each row alone."""
    return not isinstance(flat(name)[-1], Select)


LOCAL = sorted(name for name in BUILT_IN if row_local(name))


def test_every_stage_has_a_sample() -> None:
    """The laws run over everything registered."""
    assert set(PARAMETERS) == set(table())


@pytest.mark.parametrize("name", LOCAL)
def test_split_law(name: str, rows: pl.DataFrame) -> None:
    """A frame gives what its halves give, put together; the empty frame gives nothing."""
    stages = flat(name)
    whole, ledger = through(stages, rows)
    middle = rows.height // 3
    halves = [through(stages, part) for part in (rows[:middle], rows[middle:])]
    assert_frame_equal(whole, pl.concat([h[0] for h in halves], how="diagonal_relaxed"), check_column_order=False)
    by_line = ["action", "id", "reason", "other_id"]
    assert_frame_equal(ledger.sort(by_line), pl.concat([h[1] for h in halves]).sort(by_line))
    nothing, no_lines = through(stages, empty_rows())
    assert nothing.is_empty()
    assert no_lines.is_empty()


@pytest.mark.parametrize("name", LOCAL)
def test_conservation_and_effect(name: str, rows: pl.DataFrame) -> None:
    """Rows are conserved, ids stay unique, the sample is changed, and all reasons are declared."""
    stages = flat(name)
    after, ledger = through(stages, rows)
    gone = ledger.filter(pl.col("action").is_in(["drop", "quarantine", "expand"])).height
    born = ledger.filter(pl.col("action") == "born").height
    assert rows.height + born == after.height + gone
    assert after["id"].is_unique().all()
    declared = set(stage_class(name).reasons)
    assert set(ledger["reason"]) <= declared
    assert ledger.height or after.width > rows.width, f"the sample does not exercise {name}"


@pytest.mark.parametrize("name", LOCAL)
def test_purity(name: str, rows: pl.DataFrame) -> None:
    """A second call gives the same, and the input frame is untouched."""
    before = rows.clone()
    first, _ = through(flat(name), rows)
    second, _ = through(flat(name), rows)
    assert_frame_equal(first, second)
    assert_frame_equal(rows, before)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_only_leaves_other_rows_alone(name: str, rows: pl.DataFrame) -> None:
    """With `only`, rows of other sources pass untouched."""
    stage = build_stage(name, {**PARAMETERS[name], "only": {"source": ["nobody"]}})
    stages = stage.parts() if isinstance(stage, Composite) else (stage,)
    for part in stages:
        assert part.only.source == ("nobody",), f"{name}: {part.name} lost its `only`"
    if row_local(name):
        after, ledger = through(stages, rows)
        assert_frame_equal(after.select(rows.columns), rows)
        assert ledger.is_empty()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_key_law(name: str, tmp_path: Path) -> None:
    """A stage is its dump; a changed parameter changes the key; a renamed file does not, a changed one does."""
    digest = content_digester(Digests(tmp_path / "digests.json"))
    stage = build_stage(name, PARAMETERS[name])
    assert type(stage).model_validate(stage.model_dump()) == stage
    key = key_of(canonical_json(stage, digest))
    other = build_stage(name, {**PARAMETERS[name], "only": {"source": ["x"]}})
    assert key_of(canonical_json(other, digest)) != key


def test_file_parameters_count_by_content(tmp_path: Path) -> None:
    """The key of strip_fillers follows what is in its lexicon, not what the file is called."""
    digest = content_digester(Digests(tmp_path / "digests.json"))

    def key(file: str, text: str) -> str:
        (tmp_path / file).write_text(text)
        stage = build_stage("strip_fillers", {"lexicon": str(tmp_path / file)})
        return key_of(canonical_json(stage, digest))

    assert key("a.txt", "咱说\n") == key("b.txt", "咱说\n")
    assert key("c.txt", "咱讲\n") != key("a.txt", "咱说\n")


def test_keys_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """The keys of all stages are equal in two fresh processes with different hash seeds."""
    script = tmp_path / "keys.py"
    script.write_text(
        "import json, sys\n"
        "from pathlib import Path\n"
        "from curate.files import Digests\n"
        "from curate.fingerprint import canonical_json, key_of\n"
        "from curate.plan import content_digester\n"
        "from curate.recipe import build_stage\n"
        "parameters = json.loads(sys.argv[1])\n"
        "digest = content_digester(Digests(Path(sys.argv[2])))\n"
        "for name in sorted(parameters):\n"
        "    print(name, key_of(canonical_json(build_stage(name, parameters[name]), digest)))\n"
    )
    found = set()
    for seed in ("1", "2"):
        command = [sys.executable, str(script), orjson.dumps(PARAMETERS).decode(), str(tmp_path / f"{seed}.json")]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PATH": ""},
        )
        found.add(done.stdout)
    assert len(found) == 1


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_unknown_parameters_are_errors(name: str) -> None:
    """A misspelt parameter is an error that names the nearest one."""
    field = sorted(stage_class(name).model_fields)[0]
    with pytest.raises(RecipeError, match=rf"stage '{name}': unknown parameter '{field}x'; did you mean '{field}'"):
        build_stage(name, {**PARAMETERS[name], f"{field}x": 1})
