"""Tool-calling rows of one template: a long system prompt, tool schemas and phrases in common, and different requests.

This is the data that is lost where a collision counts as a duplicate: most of each row's text is the template.
"""

from __future__ import annotations

import json
import random
from typing import Any

from dedup_words import english

SYSTEM = (
    "You are a careful assistant with access to the functions below. Call a function only when the request needs it, "
    "take every argument from what the user said, never invent a value, and ask when something is missing. Answer in "
    "the language of the user. Amounts are in the currency of the account, dates are ISO 8601, times are local. When a "
    "function returns an error, say so plainly and offer what can be done instead. Do not show identifiers of other "
    "customers. Do not repeat the whole result; say what matters to the user in one or two sentences."
)
FUNCTIONS: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "book_flight": (
        "Books a flight for a passenger.",
        ("passenger", "origin", "destination", "date"),
        "Please book a flight for {passenger} from {origin} to {destination} on {date}.",
        "The flight of {passenger} from {origin} to {destination} on {date} is booked under {code}.",
    ),
    "create_ticket": (
        "Opens a support ticket about a product.",
        ("customer", "product", "problem", "date"),
        "I am {customer} and my {product} has had this problem since {date}: {problem}. Can you open a ticket?",
        "I have opened ticket {code} about your {product}, {customer}: {problem}.",
    ),
    "search_orders": (
        "Finds the orders of a customer.",
        ("customer", "product", "shop", "date"),
        "Can you find the order of {customer} for a {product} at {shop}, placed around {date}?",
        "Order {code} of {customer} at {shop} for a {product} was placed on {date}.",
    ),
    "transfer_money": (
        "Transfers money between two accounts.",
        ("sender", "receiver", "reference", "date"),
        "Transfer the rent from {sender} to {receiver} on {date}, reference {reference}.",
        "The transfer from {sender} to {receiver} with reference {reference} is set for {date}, number {code}.",
    ),
}


def tool_rows(rows: int, seed: int = 9) -> list[dict[str, Any]]:
    """Returns rows that share a template and nothing else: every value is drawn anew."""
    rng, words = random.Random(seed), english().words
    return [_row(rng, words) for _ in range(rows)]


def _schema(name: str) -> dict[str, Any]:
    described, parameters, _, _ = FUNCTIONS[name]
    properties = {p: {"type": "string", "description": f"The {p} as the user wrote it."} for p in parameters}
    shape = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": described, "parameters": shape}}


def _row(rng: random.Random, words: tuple[str, ...]) -> dict[str, Any]:
    name = rng.choice(sorted(FUNCTIONS))
    _, parameters, ask, answer = FUNCTIONS[name]
    values = {p: " ".join(rng.sample(words, rng.randint(2, 3))) for p in parameters}
    values["date"] = f"20{rng.randrange(10, 60)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    if "problem" in values:
        values["problem"] = " ".join(rng.sample(words, 8))
    code = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=10))
    call = {"id": code, "type": "function", "function": {"name": name, "arguments": json.dumps(values)}}
    result = json.dumps({"status": "done", "code": code, "message": "The request was carried out without errors."})
    return {
        "tools": [_schema(each) for each in sorted(FUNCTIONS)],
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": ask.format(**values)},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": code, "content": result},
            {"role": "assistant", "content": answer.format(code=code, **values)},
        ],
    }
