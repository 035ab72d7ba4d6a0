"""The documentation covers what there is: each command, option, stage, parameter and reason code."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from curate.cli import cli as curate_cli
from curate.registry import BUILT_IN, stage_class
from train.cli import train as train_cli

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = [*_commands(curate_cli, "curate"), *_commands(train_cli, "train")]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_and_option_is_documented(path: str, command: click.Command) -> None:
    """docs/commands.md names each command and each of its options, and each has a help text."""
    text = (DOCS / "commands.md").read_text()
    assert f"`{path}" in text
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name} has no help"
            assert max(parameter.opts, key=len) in text, f"{path} {parameter.opts}"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_stage_is_documented(name: str) -> None:
    """Each stage has a page; all its parameters are described and its reason codes are explained there."""
    page = (DOCS / "stages" / f"{name}.md").read_text()
    cls = stage_class(name)
    assert cls.__doc__
    for field, info in cls.model_fields.items():
        assert info.description, f"{name}.{field} has no description"
    for reason in cls.reasons:
        assert f"`{reason}`" in page, f"docs/stages/{name}.md does not explain the reason {reason}"


def test_links_in_the_documentation_lead_somewhere() -> None:
    """Each relative link of README, CONTRIBUTING and docs names a file that exists."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_generated_pages_are_current() -> None:
    """The generated pages say what the code says now; `make docs` writes them anew."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.pages().items():
        assert (DOCS / name).read_text() == text.rstrip() + "\n", f"docs/{name} is stale: run `make docs`"
