"""Keys: a value's canonical JSON, hashed. What has no canonical form is refused, never guessed.

A key covers what a step does and the content of what it reads; never a path, a worker count or a device. A
parameter that names a file is a `FileRef`: its identity is the digest of the file's content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from curate.errors import SourceError

Digester = Callable[[str], str]
"""Returns the content digest of the file, folder or hub id a `FileRef` names."""


class FileRef(str):
    """A path, URL or hub id given as a stage parameter; its identity is the content it names."""

    hint: ClassVar[str] = ""
    """What to do when there is nothing, put after the message that says so."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validates like a string and keeps the type."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(min_length=1))


def canonical(value: Any, digest: Digester) -> Any:
    """Returns the value as plain JSON data with one spelling for each meaning.

    Raises:
        TypeError: for a value without a canonical form (a set, a float that is not finite, an object).
    """
    if isinstance(value, FileRef):
        return {"content": _content(value, digest)}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, BaseModel):
        fields = {name: canonical(getattr(value, name), digest) for name in type(value).model_fields}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {_text_key(k): canonical(v, digest) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(v, digest) for v in value]
    raise TypeError(
        f"{type(value).__name__} {value!r} has no canonical form, so no key can cover it; "
        "use numbers, strings, booleans, None, tuples, mappings with string keys, models or FileRef"
    )


def _content(reference: FileRef, digest: Digester) -> str:
    try:
        return digest(reference)
    except SourceError as error:
        raise SourceError(f"{error}{reference.hint}") from error


def _finite(value: float) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise TypeError(f"{value!r} has no canonical form: numbers in a key are finite")
    return value


def _text_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"mapping key {key!r} has no canonical form: keys are strings")
    return key


def canonical_json(value: Any, digest: Digester) -> bytes:
    """Returns the canonical JSON text of a value, keys sorted."""
    return orjson.dumps(canonical(value, digest), option=orjson.OPT_SORT_KEYS)


def key_of(canonical_text: bytes) -> str:
    """Returns the key of a canonical JSON text: 16 hex digits of BLAKE2b."""
    return hashlib.blake2b(canonical_text, digest_size=8).hexdigest()


def no_files(path: str) -> str:
    """A digester for values that name no files.

    Raises:
        TypeError: always, naming the file.
    """
    raise TypeError(f"no file may be named here, found {path!r}")
