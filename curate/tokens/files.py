"""Where a tokenizer lives: a local folder or a Hugging Face id, and the files that decide its ids and template."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.errors import TokenizerError

TOKENIZER_JSON = "tokenizer.json"
COPIED = (
    TOKENIZER_JSON,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
)
"""Files of a tokenizer folder that an output carries along."""
EXTRA_TEMPLATES = "additional_chat_templates"
SPECIAL_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True)
class TokenizerFiles:
    """What a tokenizer folder says, read and not yet loaded into an engine."""

    folder: Path
    json_text: str
    added: tuple[dict[str, Any], ...]  # added tokens that only tokenizer_config.json lists
    specials: dict[str, str]  # "eos_token" -> "<|im_end|>"
    templates: dict[str, str]  # "default" -> Jinja source

    def digest(self) -> str:
        """Returns 32 hex digits over what decides ids and rendering: never over paths or unrelated settings."""
        facts = [list(self.added), self.specials, self.templates]
        state = hashlib.blake2b(self.json_text.encode(), digest_size=16)
        state.update(json.dumps(facts, sort_keys=True, ensure_ascii=False).encode())
        return state.hexdigest()

    def paths(self) -> list[Path]:
        """Returns the files to copy next to data made with this tokenizer."""
        named = [self.folder / name for name in COPIED]
        return [p for p in named if p.is_file()] + sorted((self.folder / EXTRA_TEMPLATES).glob("*.jinja"))


def resolve_folder(ref: str) -> Path:
    """Returns the local folder of a tokenizer: the folder named, or the hub snapshot of an id (``id@revision``).

    Raises TokenizerError if there is no such folder and the hub can't give one.
    """
    path = Path(ref).expanduser()
    if path.is_file() and path.name == TOKENIZER_JSON:
        return path.parent
    if path.is_dir():
        return path
    if path.is_absolute() or ref.startswith((".", "~")) or ref.count("/") > 1:
        raise TokenizerError(
            f"tokenizer {ref!r}: no such folder; name a folder with a {TOKENIZER_JSON} or a Hugging Face id"
        )
    return _hub_folder(ref)


def _hub_folder(ref: str) -> Path:
    try:
        import huggingface_hub
    except ImportError as error:
        raise TokenizerError(
            f"tokenizer {ref!r} is no local folder, and reading it from the Hugging Face hub needs "
            "`pip install huggingface_hub`"
        ) from error
    name, _, revision = ref.partition("@")
    patterns = [*COPIED, f"{EXTRA_TEMPLATES}/*.jinja"]
    try:
        return Path(huggingface_hub.snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except Exception as error:  # the hub client raises many kinds: network, auth, validation, missing
        reason = str(error).strip().split("\n")[0]
        raise TokenizerError(
            f"tokenizer {ref!r} is no local folder and the Hugging Face hub gave none ({type(error).__name__}: "
            f"{reason}); check the spelling, or where there is a network run `hf download {name}` and name the folder"
        ) from error


def read_files(folder: Path) -> TokenizerFiles:
    """Returns what the folder says about its tokenizer; raises TokenizerError if it lacks a tokenizer.json."""
    main = folder / TOKENIZER_JSON
    if not main.is_file():
        raise TokenizerError(
            f"{folder} has no {TOKENIZER_JSON}; make one with "
            "`AutoTokenizer.from_pretrained(...).save_pretrained(folder)` of the transformers library"
        )
    config = _read_json(folder / "tokenizer_config.json")
    specials = _specials({**_read_json(folder / "special_tokens_map.json"), **config})
    return TokenizerFiles(folder, main.read_text("utf-8"), _config_added(config), specials, _templates(folder, config))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TokenizerError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise TokenizerError(f"{path} holds no JSON object")
    return data


def _content(token: object) -> str | None:
    if isinstance(token, dict):
        token = token.get("content")
    return token if isinstance(token, str) else None


def _specials(config: dict[str, Any]) -> dict[str, str]:
    found = {name: _content(config.get(name)) for name in SPECIAL_NAMES}
    return {name: token for name, token in found.items() if token is not None}


def _config_added(config: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Returns ``added_tokens_decoder`` of the config in the form of tokenizer.json's ``added_tokens``."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    decoder: dict[str, dict[str, Any]] = config.get("added_tokens_decoder") or {}
    entries = sorted((int(number), entry) for number, entry in decoder.items())
    return tuple(
        {"id": number, "content": entry["content"], **{k: bool(entry.get(k, v)) for k, v in flags.items()}}
        for number, entry in entries
    )


def _templates(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Returns the chat templates by name; files win over the config, as in transformers."""
    found: dict[str, str] = {}
    listed = config.get("chat_template") or _read_json(folder / "chat_template.json").get("chat_template")
    if isinstance(listed, str):
        found["default"] = listed
    elif isinstance(listed, list):
        found |= {entry["name"]: entry["template"] for entry in listed}
    for path in sorted((folder / EXTRA_TEMPLATES).glob("*.jinja")):
        found[path.stem] = path.read_text("utf-8")
    main = folder / "chat_template.jinja"
    if main.is_file():
        found["default"] = main.read_text("utf-8")
    return found
