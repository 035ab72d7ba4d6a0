"""Records: rows the way another tool reads them."""

from __future__ import annotations

import orjson

from curate.json_lines import jsonl
from curate.records import records
from tests.curate.row_maker import rows_of

CALL = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}


def test_nulls_go_and_json_is_parsed() -> None:
    """Null fields are left out of rows and messages; tools, profile, meta and tool calls are objects."""
    rows = rows_of(
        {
            "messages": [("u", "q"), {"role": "assistant", "tool_calls": orjson.dumps([CALL]).decode(), "weight": 0}],
            "tools": '[{"type":"function"}]',
            "meta": '{"line": 3}',
        },
        {"kind": "text", "text": ""},
    )
    chat, text = records(rows)
    assert chat["messages"] == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [CALL], "weight": 0},
    ]
    assert chat["tools"] == [{"type": "function"}]
    assert chat["meta"] == {"line": 3}
    assert "profile" not in chat
    assert text["text"] == "", "an empty text is not a null one"
    assert [orjson.loads(line) for line in jsonl(rows).splitlines()] == [chat, text]
