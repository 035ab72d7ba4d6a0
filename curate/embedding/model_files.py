"""Where an embedding model lives: in the package, a local folder or a Hugging Face id; and what decides its vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from curate.errors import StageError
from curate.fingerprint import FileRef

BUILT_IN = "built-in"
"""The name of the packaged static model."""

_DECIDES = (".json", ".txt", ".safetensors", ".bin", ".model", ".vocab", ".merges")
"""Endings of the files that decide a model's vectors; ONNX, OpenVINO, cards and pictures do not."""
_HUB_PATTERNS = [f"*{ending}" for ending in _DECIDES]
_HUB_IGNORED = ["onnx/*", "openvino/*", "*.onnx", "*/.*"]


class ModelRef(FileRef):
    """An embedding model: `built-in`, a folder, or a Hugging Face id (``id@revision``); known by its files' content."""

    hint: ClassVar[str] = ""


def model_folder(ref: str) -> Path:
    """Returns the folder of a model: the one named, or the hub snapshot of an id.

    Raises:
        StageError: when there is no such folder and the hub gives none.
    """
    path = Path(ref).expanduser()
    if path.is_dir():
        if not (path / "modules.json").is_file():
            raise StageError(
                f"model {ref!r}: the folder has no modules.json, so it is no sentence-transformers model; "
                "`SentenceTransformer(name).save(folder)` writes one"
            )
        return path
    if path.is_absolute() or ref.startswith((".", "~")) or ref.count("/") > 1:
        raise StageError(
            f"model {ref!r}: no such folder; name the folder of a sentence-transformers model, a Hugging Face id, "
            f"or {BUILT_IN!r}"
        )
    return _hub_folder(ref)


def _hub_folder(ref: str) -> Path:
    name, _, revision = ref.partition("@")
    try:
        import huggingface_hub

        found = huggingface_hub.snapshot_download(
            name, revision=revision or None, allow_patterns=_HUB_PATTERNS, ignore_patterns=_HUB_IGNORED
        )
    except Exception as error:  # the hub client raises many kinds: network, auth, validation, missing
        reason = str(error).strip().split("\n")[0]
        raise StageError(
            f"model {ref!r} is no local folder and the Hugging Face hub gave none ({type(error).__name__}: {reason}); "
            f"where there is a network run `hf download {name}` and name the folder, or take {BUILT_IN!r}"
        ) from error
    return Path(found)


def model_digest(ref: str, digest: Callable[[str], str]) -> str:
    """Returns what a model is known by: the names and content of the files that decide its vectors."""
    if ref == BUILT_IN:
        return BUILT_IN
    folder = model_folder(ref)
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in _DECIDES and p.is_file()):
        state.update(f"{path.relative_to(folder).as_posix()}\0{digest(str(path))}\n".encode())
    return state.hexdigest()
