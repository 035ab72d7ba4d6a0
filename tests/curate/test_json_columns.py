"""JSON Lines built by column: byte for byte what `orjson` makes of each record."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.arrow_rows import ArrowRows
from curate.json_columns import written_lines
from curate.records import records
from curate.rows import ROW_SCHEMA

TEXT = st.text(max_size=8) | st.sampled_from(
    ["", "\x00\x1f\x7f\b\f\n\r\t", '"\\/', "\u2028\u2029", '“好”{"v":1}', "😀"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
).map(lambda value: orjson.dumps(value).decode())
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"])},
    optional={
        "content": TEXT,
        "name": TEXT,
        "tool_calls": st.just('[ {"type":"function"} ]'),
        "reasoning_content": TEXT,
        "weight": st.sampled_from([0, 1]),
    },
)
ROW = st.fixed_dictionaries(
    {"id": TEXT, "domain": st.booleans()},
    optional={
        "source": TEXT,
        "text": TEXT,
        "label": st.booleans(),
        "messages": st.lists(MESSAGE, max_size=3),
        "chosen": st.lists(MESSAGE, max_size=2),
        "tools": JSON,
        "meta": JSON,
        "tags": st.lists(TEXT, max_size=2),
        "score": st.floats() | st.sampled_from([1e16, 1e-7, 0.1, -0.0, 3.0]),
        "count": st.integers(-(2**62), 2**62),
    },
)
SCHEMA = {**ROW_SCHEMA, "score": pl.Float64(), "count": pl.Int64()}


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, max_size=4))
def test_the_bytes_are_those_of_each_record(rows: list[dict[str, Any]]) -> None:
    """Nulls go, empties stay, JSON columns are objects, whatever the text."""
    frame = pl.DataFrame(rows, schema=SCHEMA)
    assert written_lines(ArrowRows.of(frame)) == b"".join(orjson.dumps(record) + b"\n" for record in records(frame))


def test_a_chat_without_turns_and_a_null_one_differ() -> None:
    """An empty list of messages is written, a null one is not."""
    frame = pl.DataFrame([{"id": "a", "messages": []}, {"id": "b", "messages": None}], schema=ROW_SCHEMA)
    assert written_lines(ArrowRows.of(frame)) == b'{"id":"a","messages":[]}\n{"id":"b"}\n'
