"""One tokenizer as the project uses it: exact ids in flat buffers, fast where the fast engine is proven equal."""

from __future__ import annotations

import json
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curate.errors import TokenizerError
from curate.tokens.engine import (
    Engine,
    FastEngine,
    Ids,
    Offsets,
    ReferenceEngine,
    TokenizerWarning,
    TokenLists,
    engine_json,
    fixed_corpus,
)
from curate.tokens.files import TokenizerFiles, read_files, resolve_folder
from curate.tokens.widths import Widths, all_normal, token_widths

EngineChoice = Literal["auto", "reference"]


class SpecialToken(NamedTuple):
    """A named control token: its string and its id."""

    text: str
    id: int


class Tokenizer:
    """A tokenizer loaded from files; adds no special tokens of its own and never truncates or pads."""

    def __init__(self, ref: str, files: TokenizerFiles, engine: EngineChoice) -> None:
        source = engine_json(files.json_text, list(files.added))
        try:
            self.reference = ReferenceEngine(source)
        except Exception as error:  # the Rust library raises plain Exception
            raise TokenizerError(f"{files.folder}: tokenizer.json can't be loaded ({error})") from error
        self.name = ref
        self.digest = files.digest()
        self.chat_template: str | None = files.templates.get("default")
        self.chat_templates = dict(files.templates)
        self.specials = dict(files.specials)
        self.files = files.paths()
        added = json.loads(source)["added_tokens"]
        self.added_tokens = tuple(sorted({token["content"] for token in added}))
        special = {token["content"] for token in added if token["special"]}
        named = {token for token in files.specials.values() if token}
        self.control_tokens = tuple(sorted(t for t in special | named if not t.isspace()))
        self._widths = token_widths(source)
        self._active: Engine = self.reference if engine == "reference" else self._fast_engine(source)

    def _fast_engine(self, source: str) -> Engine:
        try:
            fast = FastEngine(source)
        except Exception:  # an unsupported model (Unigram, WordPiece) or a missing library
            return self.reference
        texts = fixed_corpus(self.control_tokens)
        same = all(fast.encode(texts, p).same_as(self.reference.encode(texts, p)) for p in (False, True))
        return fast if same else self.reference

    @property
    def engine(self) -> str:
        """Name and version of the engine in use, such as ``fastokens 0.3.5``."""
        return self._active.name

    @property
    def eos(self) -> SpecialToken | None:
        """The end-of-text token."""
        return self._special("eos_token")

    @property
    def pad(self) -> SpecialToken | None:
        """The padding token, or the end-of-text token where none is named."""
        return self._special("pad_token") or self.eos

    def _special(self, name: str) -> SpecialToken | None:
        text = self.specials.get(name)
        number = self.token_id(text) if text is not None else None
        return SpecialToken(text, number) if text is not None and number is not None else None

    def token_id(self, token: str) -> int | None:
        """Returns the id of a token of the vocabulary, or None."""
        return self.reference.backend.token_to_id(token)

    def tokens(self, ids: Ids) -> list[str]:
        """Returns the vocabulary string of each id (byte-level pieces as the vocabulary spells them)."""
        return [self.reference.backend.id_to_token(int(i)) or "" for i in ids]

    def decode(self, ids: Ids) -> str:
        """Returns the text of the ids, control tokens included."""
        return self.reference.backend.decode(ids.tolist(), skip_special_tokens=False)

    @property
    def vocab_size(self) -> int:
        """Number of ids, added tokens included."""
        return self.reference.backend.get_vocab_size(with_added_tokens=True)

    def encode(self, texts: pa.LargeStringArray) -> TokenLists:
        """Returns the exact ids of each text, nothing added; null counts as empty."""
        return self._active.encode(_strings(texts))

    def encode_plain(self, texts: pa.LargeStringArray) -> TokenLists:
        """Returns the ids of each text with control-token strings taken as ordinary text."""
        return self._active.encode(_strings(texts), plain=True)

    def lengths(self, texts: pa.LargeStringArray) -> Offsets:
        """Returns the number of tokens of each text."""
        return self.encode(texts).lengths()

    def widths_for(self, texts: pa.LargeStringArray) -> Widths | None:
        """Returns the bytes of text behind each id, valid for these texts; None where ids have no constant width."""
        if self._widths is None:
            return None
        widths, normal_only = self._widths
        return None if normal_only and not all_normal(texts) else widths

    def encode_with_offsets(self, text: str) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Returns the reference engine's ids of one text and an array (tokens, 2) of their character spans."""
        return self.reference.encode_with_offsets(text)

    def verify(self, texts: pa.LargeStringArray) -> bool:
        """Compares the fast engine with the reference on the texts; if they differ, warns and uses the reference.

        Returns whether the engine in use was right.
        """
        if self._active is self.reference or self.encode(texts).same_as(self.reference.encode(_strings(texts))):
            return True
        self.distrust()
        return False

    def distrust(self) -> None:
        """Goes over to the reference engine for the rest of the process, with one warning."""
        if self._active is not self.reference:
            warnings.warn(
                f"{self._active.name} and {self.reference.name} give different tokens for {self.name}; "
                "using the reference from here on (slower, exact)",
                TokenizerWarning,
                stacklevel=2,
            )
            self._active = self.reference


def _strings(texts: pa.LargeStringArray) -> list[str]:
    return cast("list[str]", (texts.fill_null("") if texts.null_count else texts).to_pylist())


def load_tokenizer(ref: str, engine: EngineChoice = "auto") -> Tokenizer:
    """Returns the tokenizer of a local folder or Hugging Face id; the same object for the same files in a process.

    ``auto`` uses the fast engine if it loads the tokenizer and equals the reference on a fixed corpus;
    ``reference`` always uses the reference. Raises TokenizerError if there is none to load.
    """
    folder = resolve_folder(ref)
    return _cached(ref, folder, read_files(folder).digest(), engine)


@lru_cache(maxsize=8)
def _cached(ref: str, folder: Path, digest: str, engine: EngineChoice) -> Tokenizer:
    del digest  # only in the key: files that change in place load anew
    return Tokenizer(ref, read_files(folder), engine)


def engine_name(ref: str, engine: EngineChoice = "auto") -> str:
    """Returns the engine that would encode with this tokenizer, as in ``fastokens 0.3.5``: part of a step's key."""
    return load_tokenizer(ref, engine).engine
