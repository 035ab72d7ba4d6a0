"""Which shape the records of a source have, judged from its first records and shown in the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from curate.errors import SourceError, did_you_mean
from curate.sources.columnar import sheet_names
from curate.sources.reader import records_of
from curate.sources.shapes.fields import FORMATS, LABELS, FieldRule, needs
from curate.sources.spec import DROP, Format, Shape, SourceFile, SourceSpec, Unit

Record = dict[str, Any]
_FIRST = 100
_OTHERS = 10
_FILES = 50
_NEAR, _FAR = 1 << 19, 1 << 22
"""Bytes of lines that are read for a sample: mostly the first are enough."""


def detect(spec: SourceSpec, files: Sequence[SourceFile]) -> Shape:
    """Returns the shape of a source's records.

    Raises:
        SourceError: when no shape or more than one fits, a named column is not there, or the files differ in shape.
    """
    notes = [f"{file.path}: empty" for file in files if not file.size]
    full = [(number, file) for number, file in enumerate(files) if file.size]
    samples = [
        (file, _sample(spec, number, file, _FIRST if not i else _OTHERS))
        for i, (number, file) in enumerate(full[:_FILES])
    ]
    first = next((records for _, records in samples if records), [])
    encoding = ", ".join(sorted({file.encoding for _, file in full if file.encoding})) or "binary"
    notes += [
        f"{file.path}: only the first sheet is read"
        for _, file in full
        if file.kind == "xlsx" and len(sheet_names(file)) > 1
    ]
    if not first:
        _refuse_unreadable(spec, full)
        return Shape(spec.format or "text", _defaults(spec), encoding, "; ".join([*notes, "no records"]))
    chosen, columns = _shape(spec, first)
    for file, records in samples:
        _same(spec, chosen, columns, file, records)
    if DROP in spec.roles.values() and chosen != "utterances":
        raise SourceError(f"source {spec.name!r}: `roles: ... drop` is for utterance tables; these are {chosen}")
    return Shape(chosen, columns, encoding, "; ".join(notes))


def _sample(spec: SourceSpec, number: int, file: SourceFile, most: int) -> list[Record]:
    line_like = file.kind in ("jsonl", "text") and not file.compression
    found: list[Record] = []
    for reach in (_NEAR, _FAR) if line_like else (-1,):
        found = []
        for records in records_of(spec, Unit(number, file, 0, min(file.size, reach), 1)):
            found += [value for value in records.values if type(value) is dict]
            if len(found) >= most:
                break
        if len(found) > most or file.size <= reach:  # the last may be cut off, so it is not one of those looked at
            break
    return found[:most]


def _refuse_unreadable(spec: SourceSpec, full: Sequence[tuple[int, SourceFile]]) -> None:
    for number, file in full:
        for records in records_of(spec, Unit(number, file, 0, -1, 1)):
            if any(type(value) is dict for value in records.values):
                return
            if records.bad:
                bad = records.bad[0]
                raise SourceError(
                    f"source {spec.name!r}: no record of {file.path} can be read as {file.kind}; "
                    f"line {bad.line}: {bad.reason} ({bad.detail})"
                )
            if records.values:
                raise SourceError(f"source {spec.name!r}: {file.path} holds JSON, but no objects")


def _defaults(spec: SourceSpec) -> dict[str, str]:
    """The column names of a source without records: as given, else our own."""
    rules = FORMATS[spec.format or "text"]
    return {rule.name: spec.columns.get(rule.name, rule.name) for rule in rules if rule.needed}


def _shape(spec: SourceSpec, records: list[Record]) -> tuple[Format, dict[str, str]]:
    seen = list(dict.fromkeys(column for record in records for column in record))
    _known_columns(spec, seen)
    if spec.format is not None:
        columns, missing = _match(spec, spec.format, records, seen)
        if missing:
            raise SourceError(
                f"source {spec.name!r}: format {spec.format} needs {needs(spec.format)}, but no column was found for "
                f"{', '.join(missing)}; the columns are {_listed(seen)}. Map them with `columns:`"
            )
        return spec.format, columns | _labels(spec, seen)
    fits: dict[Format, dict[str, str]] = {}
    candidates: tuple[Format, ...] = ("utterances",) if spec.group_by else tuple(FORMATS)
    for fmt in candidates:
        columns, missing = _match(spec, fmt, records, seen)
        if not missing:
            fits[fmt] = columns
    fits = fits or _only_list(spec, records, seen)
    chosen = _one(spec, fits, seen)
    return chosen, fits[chosen] | _labels(spec, seen)


def _known_columns(spec: SourceSpec, seen: list[str]) -> None:
    asked = [*spec.columns.values(), *spec.profile, *(c for c in (spec.group_by, spec.order_by) if c is not None)]
    for column in asked:
        if column not in seen:
            raise SourceError(f"source {spec.name!r}: there is no column {column!r}{did_you_mean(column, seen)}")
    ours = {rule.name for rules in FORMATS.values() for rule in rules} | set(LABELS)
    for name in spec.columns:
        if name not in ours:
            raise SourceError(f"source {spec.name!r}: `columns:` has no field {name!r}{did_you_mean(name, ours)}")


def _one(spec: SourceSpec, fits: dict[Format, dict[str, str]], seen: list[str]) -> Format:
    if not fits:
        table = "\n".join(f"    {fmt}: {needs(fmt)}" for fmt in FORMATS)
        raise SourceError(
            f"source {spec.name!r}: no shape fits the columns {_listed(seen)}. "
            f"Say `format:` and `columns:` (our field: your column); the formats and their fields are\n{table}"
        )
    pairs = [fmt for fmt in ("prompt_completion", "question_answer") if fmt in fits]
    first = next(iter(fits))
    if len(pairs) == 2 and first in pairs and set(fits[pairs[0]].values()) != set(fits[pairs[1]].values()):
        raise SourceError(
            f"source {spec.name!r}: the columns {_listed(seen)} fit {pairs[0]} and {pairs[1]}; say which with `format:`"
        )
    return first


def _match(spec: SourceSpec, fmt: Format, records: list[Record], seen: list[str]) -> tuple[dict[str, str], list[str]]:
    """The columns of a format's fields, and the needed fields without one."""
    columns: dict[str, str] = {}
    missing: list[str] = []
    given = {**spec.columns}
    if fmt == "utterances":
        given |= {"group": spec.group_by} if spec.group_by else {}
        given |= {"order": spec.order_by} if spec.order_by else {}
    for rule in FORMATS[fmt]:
        taken = set(columns.values())
        column = given.get(rule.name) or _column(rule, [c for c in seen if c not in taken], records)
        if column is not None:
            columns[rule.name] = column
        elif rule.needed:
            missing.append(rule.name)
    if fmt == "kto" and not missing and "completion" not in columns and not _turns(records, columns["prompt"]):
        missing.append("completion")
    return columns, missing


def _column(rule: FieldRule, seen: list[str], records: list[Record]) -> str | None:
    lowered = {column.strip().lower(): column for column in reversed(seen)}
    for alias in rule.aliases:
        column = alias if alias in seen else lowered.get(alias.lower())
        if column is not None and _holds(rule.holds, records, column):
            return column
    return None


def _only_list(spec: SourceSpec, records: list[Record], seen: list[str]) -> dict[Format, dict[str, str]]:
    """The one column of turns, whatever its name, when nothing fits by name."""
    found: dict[Format, dict[str, str]] = {}
    for fmt, field, what in (("messages", "messages", "turns"), ("sharegpt", "conversations", "pairs")):
        columns = [column for column in seen if _holds(what, records, column)]
        if len(columns) == 1 and not spec.group_by:
            found[cast(Format, fmt)] = {field: columns[0]}
    return found


def _holds(what: str, records: list[Record], column: str) -> bool:
    """Whether at least half of the values that are there look right."""
    if what == "any":
        return True
    values = [record[column] for record in records if record.get(column) is not None]
    return bool(values) and 2 * sum(_LOOKS[what](value) for value in values) >= len(values)


def _turns(records: list[Record], column: str) -> bool:
    return _holds("turns", records, column) or _holds("pairs", records, column)


def _keyed(value: Any, role: str, text: tuple[str, ...]) -> bool:
    if type(value) is dict and value and all(type(item) is list for item in value.values()):
        return role in value
    if type(value) is str:
        return value[:1] == "[" and f'"{role}"' in value[:4096]
    if type(value) is not list or not value or type(value[0]) is not dict:
        return False
    return role in value[0] and any(name in value[0] for name in text)


def _is_turns(value: Any) -> bool:
    return _keyed(value, "role", ("content", "value", "tool_calls"))


def _is_pairs(value: Any) -> bool:
    return _keyed(value, "from", ("value", "content"))


def _is_flag(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "false", "0", "1") and type(value) in (bool, int, str)


_LOOKS: dict[str, Callable[[Any], bool]] = {
    "turns": _is_turns,
    "pairs": _is_pairs,
    "text": lambda value: type(value) is str,
    "answer": lambda value: type(value) in (str, list, dict),
    "flag": _is_flag,
}


def _labels(spec: SourceSpec, seen: list[str]) -> dict[str, str]:
    labels = {name: spec.columns[name] for name in LABELS if name in spec.columns}
    if spec.ability is None and "ability" in seen:
        labels.setdefault("ability", "ability")
    return labels


def _same(spec: SourceSpec, fmt: Format, columns: dict[str, str], file: SourceFile, records: list[Record]) -> None:
    needed = [columns[rule.name] for rule in FORMATS[fmt] if rule.needed]
    lacking = [column for column in needed if records and not any(column in record for record in records)]
    if lacking:
        raise SourceError(
            f"source {spec.name!r}: {file.path} has no column {lacking[0]!r} (it has "
            f"{_listed(list(records[0]))}), so it has another shape than the files before it; make it a source of its own"
        )


def _listed(columns: list[str]) -> str:
    return ", ".join(map(repr, columns[:30])) + (" ..." if len(columns) > 30 else "")
