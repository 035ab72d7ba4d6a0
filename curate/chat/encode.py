"""Rows to token ids and labels: the one place that says which token is trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from curate.arrow import arrow_strings, column_of, texts_at
from curate.chat.careful import CarefulRows, DropRowError, render_split, split_marked
from curate.chat.control import control_pattern, mark, rows_with_control_tokens
from curate.chat.conversation import flat_messages
from curate.chat.dialect import dialect_of
from curate.chat.render import render_chats
from curate.chat.segments import Bools, Positions, Segments, label, spread
from curate.errors import TokenizerError
from curate.shards.documents import IGNORED
from curate.tokens import Tokenizer, TokenLists

TrainOn = Literal["all", "last"]
ControlTokens = Literal["drop", "split", "allow"]
Int32s = npt.NDArray[np.int32]
DROP_SCHEMA: dict[str, Any] = {"row": pl.UInt32, "reason": pl.String, "detail": pl.String}
REASONS = (
    "control_token_in_data",
    "template_refused",
    "tool_calls_not_rendered",
    "history_rewritten",
    "no_assistant_turn",
    "nothing_trained",
)
VERIFIED = 32
"""Rows of each call, spread evenly, on which the fast engine is held against the reference."""


@dataclass(frozen=True)
class EncodeStats:
    """How the rows of a call were rendered and masked.

    ``pieces``, ``jinja``, ``split``, ``text`` count rows by way of rendering; ``offsets`` those among them whose mask
    took the reference's offsets; ``straddling`` the tokens left untrained because they cross the edge of a span.
    """

    pieces: int = 0
    jinja: int = 0
    split: int = 0
    text: int = 0
    offsets: int = 0
    straddling: int = 0


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """The kept rows as tokens: row ``kept[i]`` owns ``offsets[i]:offsets[i + 1]`` of ids and mask.

    ``loss_mask`` says which tokens are trained, ``n_trained`` how many of each row; ``drops`` is a frame {row, reason,
    detail}.
    """

    input_ids: Int32s
    loss_mask: Bools
    offsets: Positions
    n_trained: Int32s
    kept: npt.NDArray[np.uint32]
    drops: pl.DataFrame
    stats: EncodeStats

    @property
    def labels(self) -> Int32s:
        """The ids where they are trained, IGNORED elsewhere."""
        return np.where(self.loss_mask, self.input_ids, np.int32(IGNORED))


@dataclass(eq=False)
class _Batch:
    """Encoded rows of one way of rendering."""

    rows: Positions
    tokens: TokenLists
    trained: Bools


@dataclass(eq=False)
class _Drops:
    lines: list[tuple[int, str, str | None]] = field(default_factory=list)

    def add(self, rows: Positions, reason: str) -> None:
        self.lines += [(int(row), reason, None) for row in rows]

    def frame(self) -> pl.DataFrame:
        return pl.DataFrame(sorted(self.lines), schema=DROP_SCHEMA, orient="row")


def encode_rows(
    rows: pl.DataFrame,
    tokenizer: Tokenizer,
    *,
    train_on: TrainOn = "all",
    control_tokens: ControlTokens = "drop",
) -> EncodedRows:
    """Returns ids and loss masks of chat and text rows (row schema), and which rows were dropped and why.

    Trained are the assistant's content, reasoning, tool calls and end-of-turn token in turns of nonzero weight, and
    whole documents with the end-of-text token. Raises TokenizerError for other kinds of rows, and if the template
    rewrites a turn that should be trained.
    """
    _check_kinds(rows)
    drops = _Drops()
    flat = flat_messages(rows)
    held = rows_with_control_tokens(rows, flat, tokenizer.control_tokens if control_tokens != "allow" else ())
    if control_tokens == "drop":
        drops.add(held.arg_true().to_numpy().astype(np.int64), "control_token_in_data")
    usable = np.ones(rows.height, np.bool_) if control_tokens != "drop" else ~held.to_numpy()
    is_text = (rows["kind"] == "text").to_numpy()
    answered = np.zeros(rows.height, np.bool_)
    answered[flat["row"].filter(flat["role"] == "assistant").to_numpy()] = True
    drops.add(np.flatnonzero(usable & ~is_text & ~answered), "no_assistant_turn")
    split = held.to_numpy() & (control_tokens == "split") & (is_text | answered)
    documents = np.flatnonzero(usable & is_text & ~split)
    chats = np.flatnonzero(usable & answered & ~split)
    ways = [_encode_documents(rows, documents, tokenizer)]
    plain, careful = render_chats(rows, flat, chats, tokenizer, train_on)
    drops.add(plain.rewritten, "history_rewritten")
    drops.lines += careful.drops
    batches, offsets_used, straddling = [*ways], 0, 0
    for positions, segments in ((plain.rows, plain.segments), _numbered(careful)):
        if len(positions):
            _verify(segments, tokenizer)
            labelled = label(segments, tokenizer)
            batches.append(_Batch(positions, labelled.tokens, labelled.trained))
            offsets_used += labelled.by_offsets
            straddling += labelled.straddling
    batches.append(_encode_split(rows, np.flatnonzero(split), tokenizer, train_on, drops))
    stats = EncodeStats(
        len(plain.rows), len(careful.rows), len(batches[-1].rows), len(documents), offsets_used, straddling
    )
    return _finish(batches, drops, stats)


def _check_kinds(rows: pl.DataFrame) -> None:
    odd = rows["kind"].filter(~rows["kind"].is_in(["chat", "text"])).unique(maintain_order=True).to_list()
    if odd:
        raise TokenizerError(
            f"rows of kind {', '.join(odd)} can't be tokenized for supervised training; tokenized are chat and text"
        )


def _numbered(careful: CarefulRows) -> tuple[Positions, Segments]:
    return np.array(careful.rows, np.int64), careful.segments()


def _verify(segments: Segments, tokenizer: Tokenizer) -> None:
    picks = np.linspace(0, len(segments.starts) - 2, min(VERIFIED, len(segments.starts) - 1)).astype(np.int64)
    tokenizer.verify(arrow_strings(texts_at(segments.whole(), picks)))


def _eos_id(tokenizer: Tokenizer) -> int:
    if tokenizer.eos is None:
        raise TokenizerError(
            f"{tokenizer.name} names no end-of-text token, which every document must end with; "
            "set `eos_token` in its tokenizer_config.json"
        )
    return tokenizer.eos.id


def _encode_documents(rows: pl.DataFrame, documents: Positions, tokenizer: Tokenizer) -> _Batch:
    """Encodes documents whole, each followed by the end-of-text token, every token trained."""
    if not len(documents):
        return _Batch(documents, TokenLists(np.empty(0, np.int32), np.zeros(1, np.int64)), np.empty(0, np.bool_))
    eos = _eos_id(tokenizer)
    texts = column_of(rows["text"].gather(documents).rechunk())
    picks = np.linspace(0, len(texts) - 1, min(VERIFIED, len(texts))).astype(np.int64)
    tokenizer.verify(arrow_strings(texts_at(texts, picks)))
    tokens = tokenizer.encode(texts)
    ids = np.insert(tokens.ids, tokens.offsets[1:], eos)
    return _Batch(documents, TokenLists(ids, tokens.offsets + np.arange(len(texts) + 1)), np.ones(len(ids), np.bool_))


def _encode_split(
    rows: pl.DataFrame, split: Positions, tokenizer: Tokenizer, train_on: TrainOn, drops: _Drops
) -> _Batch:
    """Encodes rows whose data holds control-token strings so that those stay ordinary text."""
    texts: list[str] = []
    flags: list[tuple[int, bool, bool]] = []
    kept: list[int] = []
    for row, data in zip(
        split, rows.select("kind", "messages", "tools", "text")[split].iter_rows(named=True), strict=True
    ):
        try:
            parts = _split_parts(data, tokenizer, train_on)
        except DropRowError as drop:
            drops.lines.append((int(row), drop.reason, drop.detail))
            continue
        texts += [text for text, _, _ in parts]
        flags += [(len(kept), trained, plain) for _, trained, plain in parts]
        kept.append(int(row))
    owner, trained, is_plain = (
        (np.array(column, np.int64) for column in zip(*flags, strict=True)) if flags else [np.empty(0, np.int64)] * 3
    )
    array = arrow_strings(texts)
    usual, plain = tokenizer.encode(array), tokenizer.encode_plain(array)
    chosen = [plain[i] if is_plain[i] else usual[i] for i in range(len(texts))]
    ids = np.concatenate([*chosen, np.empty(0, np.int32)])
    lengths = np.array([len(piece) for piece in chosen], np.int64)
    sizes = np.bincount(owner, weights=lengths, minlength=len(kept)).astype(np.int64)
    return _Batch(
        np.array(kept, np.int64), TokenLists(ids, np.append(0, np.cumsum(sizes))), np.repeat(trained, lengths) > 0
    )


def _split_parts(data: dict[str, Any], tokenizer: Tokenizer, train_on: TrainOn) -> list[tuple[str, bool, bool]]:
    if data["kind"] == "chat":
        return render_split(data, dialect_of(tokenizer), train_on, tokenizer.control_tokens)
    _eos_id(tokenizer)
    marked = mark(data["text"], control_pattern(tokenizer.control_tokens))
    return [*split_marked(marked, True), (tokenizer.specials["eos_token"], True, False)]


def _finish(batches: list[_Batch], drops: _Drops, stats: EncodeStats) -> EncodedRows:
    """Brings the batches into row order and leaves out rows of which nothing is trained."""
    filled = [batch for batch in batches if len(batch.rows)] or batches[:1]
    rows = _joined([batch.rows for batch in filled])
    ids = _joined([batch.tokens.ids for batch in filled])
    mask = _joined([batch.trained for batch in filled])
    lengths = _joined([batch.tokens.lengths() for batch in filled])
    offsets = np.append(0, np.cumsum(lengths))
    trained = _count(mask, offsets)
    known = {row for row, _, _ in drops.lines}
    drops.add(np.array([row for row in rows[trained == 0] if int(row) not in known], np.int64), "nothing_trained")
    out = (trained > 0) & ~np.isin(rows, np.array(sorted(known), np.int64))
    order = np.flatnonzero(out)[np.argsort(rows[out], kind="stable")]
    if not np.array_equal(order, np.arange(len(rows))):
        at = spread(offsets, order)
        ids, mask, offsets = ids[at], mask[at], np.append(0, np.cumsum(lengths[order]))
    return EncodedRows(ids, mask, offsets, trained[order], rows[order].astype(np.uint32), drops.frame(), stats)


def _joined(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Returns the arrays one after another, without a copy where there is one only."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _count(mask: Bools, offsets: Positions) -> Int32s:
    """Returns how many tokens of each row are trained."""
    trained = np.zeros(len(offsets) - 1, np.int32)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        trained[filled] = np.add.reduceat(mask, offsets[filled], dtype=np.int32)
    return trained
