"""The house itself: sizes, layers, start-up, where click and torch may appear."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("curate/**/*.py"), *ROOT.glob("train/**/*.py")])
MAX_FILE, MAX_FUNCTION = 400, 60


def _functions() -> list[tuple[str, int]]:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", length))
    return found


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_no_file_makes_you_scroll() -> None:
    """Files stay under 400 lines and their median is short."""
    lengths = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in SOURCES}
    assert {name: n for name, n in lengths.items() if n > MAX_FILE} == {}
    assert statistics.median(lengths.values()) <= 130


def test_functions_are_small() -> None:
    """No function is longer than 60 lines, and the median is at most 10."""
    functions = _functions()
    assert [name for name, length in functions if length > MAX_FUNCTION] == []
    assert statistics.median(length for _, length in functions) <= 10


def test_no_file_is_named_after_nothing() -> None:
    """There is no utils, helpers, common, base or manager module."""
    assert [p for p in SOURCES if re.fullmatch(r"(utils?|helpers?|common|base|manager)\.py", p.name)] == []


def test_click_and_print_stay_in_the_command_lines() -> None:
    """Only the cli modules import click or print."""
    for path in SOURCES:
        if "cli" in path.relative_to(ROOT).as_posix():
            continue
        assert "click" not in _imports(path), path
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path


def test_ray_stays_in_its_executor() -> None:
    """Ray is imported by its executor only."""
    assert [p for p in SOURCES if "ray" in _imports(p) and p.name != "ray.py"] == []


def test_every_module_says_what_it_is() -> None:
    """Each source file opens with a docstring."""
    assert [p for p in SOURCES if not ast.get_docstring(ast.parse(p.read_text()))] == []


@pytest.mark.parametrize("command", ["curate", "train"])
def test_help_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    """``--help`` answers without polars, datasets, transformers, torch, pyarrow or numpy, from any folder."""
    code = (
        "import sys\n"
        f"from {command}.cli import main\n"
        f"sys.argv = ['{command}', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'polars', 'datasets', 'transformers', 'torch', 'pyarrow', 'numpy', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_nothing_of_this_workplace_is_named() -> None:
    """No committed text names a registry host or a path outside the project."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    secret = re.compile("/wo" + r"rk/|\.\./sha" + "red|farm-" + "bench|farm-" + "studio")
    texts = [
        ROOT / n for n in listed.stdout.splitlines() if Path(n).suffix in {".py", ".md", ".yaml", ".toml", ".txt", ""}
    ]
    assert [p for p in texts if p.is_file() and secret.search(p.read_text(errors="ignore"))] == []
