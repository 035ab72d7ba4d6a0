"""Finding the files of a source: paths, folders, globs, save_to_disk folders, URLs; all checked before work starts."""

from __future__ import annotations

import difflib
import glob
import os
from pathlib import Path
from typing import Any

import orjson

from curate.errors import SourceError
from curate.sources.kinds import DATA_SUFFIXES, inspect
from curate.sources.opening import file_system
from curate.sources.spec import SourceFile, SourceSpec


def resolve(spec: SourceSpec) -> list[SourceFile]:
    """Returns the source's files in a stable order (paths as given, each expanded in the order of its names).

    Raises:
        SourceError: one error naming every path that is missing or can't be read.
    """
    found: list[str] = []
    problems: list[str] = []
    for path in spec.paths:
        try:
            found += _expand(path)
        except SourceError as error:
            problems.append(str(error))
    files: list[SourceFile] = []
    for path in dict.fromkeys(found):
        try:
            files.append(inspect(path, spec.encoding))
        except SourceError as error:
            problems.append(str(error))
    if problems:
        raise SourceError(f"source {spec.name!r}: " + "\n  ".join(problems))
    return files


def _expand(path: str) -> list[str]:
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    return _expand_url(path) if "://" in path else _expand_local(path)


def _expand_local(path: str) -> list[str]:
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return _folder(path)
    if os.path.exists(path):
        return [path]
    if not glob.has_magic(path):
        raise SourceError(f"{path}: no such file or folder{_nearest(path)}")
    matches: list[str] = []
    for match in sorted(glob.glob(path, recursive=True)):
        matches += _folder(match) if os.path.isdir(match) and not path.endswith("**") else [match]
    matches = [match for match in matches if os.path.isfile(match)]
    if not matches:
        raise SourceError(f"{path}: the pattern matches no file{_nearest(path)}")
    return matches


def _folder(path: str) -> list[str]:
    """The data files under a folder; a folder written by ``save_to_disk`` gives its Arrow files in its own order."""
    if os.path.exists(os.path.join(path, "dataset_dict.json")):
        return _splits(path)
    state = os.path.join(path, "state.json")
    if os.path.exists(state) and os.path.exists(os.path.join(path, "dataset_info.json")):
        return _saved(path, state)
    files = [
        str(file)
        for file in sorted(Path(path).rglob("*"))
        if file.is_file() and _is_data(file.name) and not _hidden(str(file.relative_to(path)))
    ]
    if not files:
        raise SourceError(f"{path}: the folder holds no data file ({', '.join(sorted(DATA_SUFFIXES))}; also .gz, .zst)")
    return files


def _splits(path: str) -> list[str]:
    try:
        splits = [str(name) for name in orjson.loads(Path(path, "dataset_dict.json").read_bytes())["splits"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{path}/dataset_dict.json: can't be read ({error})") from error
    if len(splits) != 1:
        choices = ", ".join(os.path.join(path, name) for name in splits)
        raise SourceError(f"{path}: a dataset of several splits; give the path of one: {choices}")
    return _folder(os.path.join(path, splits[0]))


def _saved(path: str, state: str) -> list[str]:
    try:
        parsed: Any = orjson.loads(Path(state).read_bytes())
        names = [str(entry["filename"]) for entry in parsed["_data_files"]]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SourceError(f"{state}: not the state of a saved dataset ({error})") from error
    if parsed.get("_indices_files"):
        raise SourceError(f"{path}: the saved dataset has an indices file; save it again after flatten_indices()")
    files = [os.path.join(path, name) for name in names]
    missing = [file for file in files if not os.path.exists(file)]
    if missing:
        raise SourceError(f"{path}: files named in state.json are missing: {', '.join(missing)}")
    return files


def _expand_url(url: str) -> list[str]:
    filesystem, inner = file_system(url)
    try:
        if glob.has_magic(inner):
            matches = [path for path in sorted(filesystem.glob(inner)) if not filesystem.isdir(path)]
        elif filesystem.isdir(inner):
            matches = [path for path in sorted(filesystem.find(inner)) if _is_data(path) and not _hidden(path)]
        else:
            matches = [inner] if filesystem.exists(inner) else []
    except Exception as error:  # every file system has errors of its own
        raise SourceError(f"{url}: can't be listed ({type(error).__name__}: {error})") from error
    if not matches:
        raise SourceError(f"{url}: no such file, or no data file there")
    return [str(filesystem.unstrip_protocol(match)) for match in matches]


def _is_data(name: str) -> bool:
    lowered = name.lower()
    for packed in (".gz", ".zst", ".zstd"):
        lowered = lowered.removesuffix(packed)
    return os.path.splitext(lowered)[1] in DATA_SUFFIXES and os.path.basename(lowered) not in _NOT_DATA


_NOT_DATA = {
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
    "readme.md",
    "readme.txt",
    "license.txt",
    "requirements.txt",
}
"""Files that lie beside data and are none."""


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "__")) for part in path.split("/"))


def _nearest(path: str) -> str:
    """``; did you mean ...`` for the nearest existing name in the deepest folder that exists."""
    parent = os.path.dirname(path.rstrip("/")) or "."
    while not os.path.isdir(parent):
        path, parent = parent, os.path.dirname(parent) or "."
    near = difflib.get_close_matches(os.path.basename(path), sorted(os.listdir(parent)), n=1, cutoff=0.5)
    if near:
        return f"; did you mean {os.path.join(parent, near[0])}?"
    return f"; {parent} holds no similar name"
