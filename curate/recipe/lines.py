"""YAML with line numbers: plain data, and for each place in it the line it stands on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from curate.errors import RecipeError

Place = tuple[str | int, ...]
"""A path into the data, such as ``("stages", 2, "forbid", "terms")``."""


class _CoreLoader(yaml.SafeLoader):
    """Reads plain scalars by YAML 1.2's core schema: `on`, `no` and `1:5` are strings, as their writer meant."""


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


@dataclass(frozen=True)
class Located:
    """Parsed YAML: ``data``, and ``lines`` from each place to its 1-based line."""

    data: Any
    lines: dict[Place, int] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Returns the line of a place, or of the nearest place around it that has one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def parse(text: str, name: str) -> Located:
    """Parses one YAML document of plain data (no tags, no Python objects).

    Raises:
        RecipeError: for a syntax error, a tag or a key that stands twice, with its line.
    """
    try:
        node = yaml.compose(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise RecipeError(f"{where}: this is not YAML: {error.problem}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(f"{name}:{line}: this is not YAML: {error.reason}") from error
    lines: dict[Place, int] = {}
    return Located(None if node is None else _data(node, (), lines, name), lines)


def _data(node: yaml.Node, place: Place, lines: dict[Place, int], name: str) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if len(place) > _DEEPEST:
        raise RecipeError(f"{name}:{node.start_mark.line + 1}: nested more than {_DEEPEST} levels deep")
    if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
        return _mapping(node, place, lines, name)
    if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
        return [_data(item, (*place, i), lines, name) for i, item in enumerate(node.value)]
    return _scalar(node, name)


def _mapping(node: yaml.MappingNode, place: Place, lines: dict[Place, int], name: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise RecipeError(f"{name}:{line}: a key is one word or a quoted text")
        key = str(key_node.value)
        if key in data:
            raise RecipeError(f"{name}:{line}: {key!r} stands twice here; remove one")
        lines[(*place, key)] = line
        data[key] = _data(value_node, (*place, key), lines, name)
    return data


def _scalar(node: yaml.Node, name: str) -> Any:
    """Returns the value of a plain scalar; what any other tag asks for is refused, never made."""
    make = _MAKERS.get(node.tag)
    if make is None or not isinstance(node, yaml.ScalarNode):
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise RecipeError(f"{name}:{node.start_mark.line + 1}: the tag {tag}: recipes hold plain values only")
    try:
        return make(node.value)
    except ValueError as error:
        raise RecipeError(f"{name}:{node.start_mark.line + 1}: {error}") from error


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


_DEEPEST = 40
_MAKERS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:bool": _boolean,
    "tag:yaml.org,2002:null": lambda _: None,
}
