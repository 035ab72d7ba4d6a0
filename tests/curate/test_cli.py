"""The command line: exit codes, what is printed where, and that an interrupted run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import psutil
import pytest

from curate.cli import COMMANDS, main
from tests.curate.runs import CURATE, Project
from tests.curate.small import TOKENIZER, Small, chat, jsonl

Curate = Callable[..., tuple[int, str, str]]
CHATS = [chat(f"问题{i}？", f"回答{i}。") for i in range(20)]


@pytest.fixture
def curate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Curate:
    """Runs the command in this process; returns exit code, stdout and stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["curate", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def small(tmp_path: Path) -> Small:
    """Twenty dialogues, two equal, to packed shards."""
    return Small(tmp_path, {"a": [*CHATS, CHATS[0]]}, tokenizer=TOKENIZER, stages=["exact_dedup"])


def test_a_run_prints_its_table(curate: Curate, small: Small) -> None:
    """Progress is on stderr, the table and notes on stdout; a second run has nothing to do."""
    code, out, err = curate("run", small.write(), "--executor", "serial")
    assert code == 0
    assert err.splitlines()[0].split() == ["done", "ingest-a"]
    assert "exact_dedup" in out
    assert f"output: {small.out}" in out.replace("\n", "")
    code, out, err = curate("run", small.write(), "--executor", "serial")
    assert code == 0
    assert set(line.split()[0] for line in err.splitlines()) == {"cached"}
    assert "nothing to do" in out


def test_quiet_prints_only_the_result(curate: Curate, small: Small) -> None:
    """Nothing is on stderr."""
    code, out, err = curate("run", small.write(), "--executor", "serial", "--quiet")
    assert (code, err) == (0, "")
    assert "trained tokens" in out


def test_json_is_for_programs(curate: Curate, small: Small) -> None:
    """The result and each event are JSON, and the numbers add up."""
    code, out, err = curate("run", small.write(), "--executor", "serial", "--json")
    (source,) = orjson.loads(out)["sources"]
    events = [orjson.loads(line) for line in err.splitlines()]
    assert code == 0
    assert source["read"] + sum(source["changes"].values()) == source["rows"] == 20
    assert source["changes"] == {"exact_dedup": -1}
    assert source["rows"] == source["validation_rows"] + source["packed_unique"]
    assert {e["event"] for e in events} == {"begin", "end"}


@pytest.mark.parametrize(("allowed", "code"), [(0.2, 3), (0.25, 0)])
def test_too_much_quarantine_exits_with_3(curate: Curate, tmp_path: Path, allowed: float, code: int) -> None:
    """The run is done either way; above max_quarantine it exits with 3 and says why, also when nothing is left to do."""
    small = Small(tmp_path, {"a": [*CHATS[:15], *[b"{broken"] * 5]}, max_quarantine=allowed)
    for _ in range(2):
        found, out, _ = curate("run", small.write(), "--executor", "serial")
        assert found == code
        assert ("that is more than max_quarantine (20.00%)" in out.replace("\n", "")) == (code == 3)
    assert len(small.rows()) == 15


def test_a_user_s_error_has_no_traceback(curate: Curate, tmp_path: Path) -> None:
    """Exit 1, the kind of error, the place and the fault, one paragraph on stderr."""
    (tmp_path / "r.yaml").write_text("name: r\nsorces: []\nsources: [{name: a, path: a}]\noutput: o\n")
    code, out, err = curate("run", tmp_path / "r.yaml")
    assert (code, out) == (1, "")
    assert err == f"RecipeError: {tmp_path}/r.yaml:2: unknown parameter 'sorces'; did you mean 'sources'?\n"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["rnu"], "no command 'rnu'; did you mean 'run'?"),
        (["run"], "Missing argument 'RECIPE'"),
        (["run", "r.yaml", "--worker", "2"], "No such option"),
        (["run", "r.yaml", "--workers", "0"], "Invalid value for '--workers'"),
        (["apply", "length", "f.jsonl", "--set", "max_chars"], "--set takes KEY=VALUE, found 'max_chars'"),
        (["store", "gc"], "say what may go: --days N, or --keep RECIPE for each recipe whose steps stay"),
        (["ledger", "nowhere"], "nowhere: no such folder; name the output of a run"),
    ],
)
def test_wrong_usage_exits_with_2(curate: Curate, args: list[str], told: str) -> None:
    """The usage error says what was wrong with the command."""
    code, _, err = curate(*args)
    assert code == 2
    assert told in err


def test_help_names_every_command(curate: Curate) -> None:
    """Each command is listed with a line, and has help of its own."""
    code, out, _ = curate("--help")
    assert code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in out
        assert curate(name, "--help")[0] == 0


def test_a_plan_says_why(curate: Curate, small: Small) -> None:
    """Before a run every step is to run; after it all are cached; a change names the parameter."""
    _, out, _ = curate("plan", small.write())
    assert "source a: 1 file(s), 0.0 MB, messages (messages=messages), utf-8" in out
    assert out.count("to run: never run") == 7
    small.run()
    assert curate("plan", small.write())[1].count("  cached") == 7
    small.recipe["stages"] = [{"exact_dedup": {"on": "prompt"}}]
    lines = curate("plan", small.write())[1].splitlines()
    assert 'to run: parameters.on: "row" → "prompt"' in next(line for line in lines if "exact_dedup" in line)
    assert "to run: its input changed: exact_dedup" in next(line for line in lines if "tokenize" in line)
    steps = orjson.loads(curate("plan", small.write(), "--json")[1])["steps"]
    assert [s["cached"] for s in steps] == [True, False, False, False, False, False, False]


def test_a_lost_output_is_told(curate: Curate, small: Small) -> None:
    """When the output is not what the store says, the plan says that the export will run again."""
    small.run()
    (small.out / "manifest.json").write_text("{}")
    assert "to run: the output folder is not the one this recipe made last" in curate("plan", small.write())[1]


def test_a_begun_step_is_told(curate: Curate, small: Small) -> None:
    """A step whose folder is there without its marker was begun."""
    small.run()
    (small.plan().of("split")[0].artifact.folder / "step.json").unlink()
    assert "to run: begun, not finished" in curate("plan", small.write())[1]


def test_stages_are_listed_and_described(curate: Curate) -> None:
    """The list has a line for each; one is described with parameters, defaults and reasons."""
    assert "exact_dedup       Keeps one row of each set" in curate("stages")[1]
    _, out, _ = curate("stages", "forbid")
    assert "forbid (edits rows): Drops, cuts or quarantines" in out
    assert "action: 'drop_row' | 'cut_before' | 'quarantine' = 'drop_row'" in out
    assert "reasons: forbidden, forbidden_cut, no_exchange_left" in out
    code, _, err = curate("stages", "forbit")
    assert code == 1
    assert "unknown stage 'forbit'; did you mean 'forbid'?" in err


def test_the_ledger_is_counted_and_shown(curate: Curate, small: Small) -> None:
    """Counts by step, action and reason; with --lines single rows and who caused them; filters apply."""
    small.run()
    assert curate("ledger", small.out)[1].split() == ["1", "exact_dedup", "drop", "exact_duplicate"]
    line = curate("ledger", small.out, "--lines", "5", "--action", "drop")[1]
    assert "because of" in line
    assert curate("ledger", small.out, "--reason", "pii")[1] == ""
    small.recipe["stages"] = []
    small.run()
    assert "the ledger has no lines" in curate("ledger", small.out)[1]


def test_explain_tells_a_story(curate: Curate, small: Small) -> None:
    """The row's id and line, what it says, and its end."""
    small.run()
    _, out, _ = curate("explain", small.write(), "问题7")
    head, user, assistant, end = out.splitlines()
    assert head.endswith(f"{small.folder}/a.jsonl:8")
    assert (user, assistant) == ("    user: 问题7？", "    assistant: 回答7。")
    assert "trained; " in end
    assert curate("explain", small.write(), "no such text")[0] == 1


def test_the_store_is_listed_and_cleaned(curate: Curate, small: Small) -> None:
    """Steps of a changed recipe go with --keep; --dry-run only tells."""
    small.run()
    root = small.folder / "store"
    assert "7 " not in curate("store", "ls", "--store", root)[1].splitlines()[0]
    small.recipe["stages"] = []
    small.run()
    recipe = small.write()
    told = curate("store", "gc", "--store", root, "--keep", recipe, "--dry-run")[1]
    gone = curate("store", "gc", "--store", root, "--keep", recipe)[1]
    assert told.replace("would remove", "removed") == gone
    assert gone.count("removed") == 6
    assert all(step.cached for step in small.plan().steps)
    assert curate("store", "gc", "--store", root, "--days", "30")[1] == "0.0 MB\n"


def test_apply_writes_records(curate: Curate, tmp_path: Path) -> None:
    """Records go to stdout or a file, what happened to stderr; parameters are YAML."""
    path = jsonl(tmp_path / "f.jsonl", chat("转人工", "好"), chat("您好", "好"), b"{")
    code, out, err = curate("apply", "forbid", path, "--set", "terms=[转人工, 10086x]", "--set", "roles=[user]")
    assert code == 0
    assert [orjson.loads(line) for line in out.splitlines()] == [chat("您好", "好")]
    assert err.splitlines()[0] == "3 records in, 1 out, 1 unreadable"
    assert err.splitlines()[1].split() == ["1", "drop", "forbidden"]
    assert curate("apply", "forbid", path, "--set", "terms=[转人工]", "-o", tmp_path / "out.jsonl")[:2] == (0, "")
    assert (tmp_path / "out.jsonl").read_text() == out
    code, _, err = curate("apply", "forbid", path, "--set", "term=[x]")
    assert (code, err) == (1, "RecipeError: stage 'forbid': unknown parameter 'term'; did you mean 'terms'?\n")
    code, _, err = curate("apply", "forbid", path, "--set", "terms=[x")
    assert code == 1
    assert err.startswith("RecipeError: --set terms:1: this is not YAML: ")


@pytest.mark.parametrize("moment", ["starting", "working"])
def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path, moment: str) -> None:
    """SIGINT to the whole group, as a terminal sends it: exit 130, one sentence, no traceback; what is done is kept."""
    project = Project(tmp_path / "p")
    project.write()
    command = [*CURATE, "run", "recipe.yaml", "--workers", "2"]
    process = subprocess.Popen(
        command, cwd=project.folder, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    if moment == "starting":
        parent = psutil.Process(process.pid)
        while len(parent.children()) < 2:
            time.sleep(0.01)
    else:
        assert process.stderr.readline().split() == ["done", "ingest-calls"]
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (out, "Traceback" in err) == ("", False), err
    assert err.endswith("stopped; what is finished is kept, the same command goes on from here\n")
    if moment == "working":
        assert project.plan()["ingest-calls"]["cached"]


def test_the_console_script_leaves_with_the_code_and_all_it_said(tmp_path: Path) -> None:
    """It ends at once, after what it printed; codes are those of `main`."""
    script = [sys.executable, "-c", "from curate.cli import console; console()"]
    done = subprocess.run([*script, "stages"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, "normalize" in done.stdout) == (0, True)
    wrong = subprocess.run([*script, "run", "no.yaml"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (wrong.returncode, "no.yaml" in wrong.stderr) == (1, True)
