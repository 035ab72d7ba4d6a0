"""The tag tree of the sample data: ability, group, tags."""

from __future__ import annotations

from pathlib import Path

from .grammar import load

_GROUPS = {
    "network": ("broadband", "install", "roaming"),
    "shop": ("return", "delivery", "invoice", "repair"),
    "account": ("plan", "bill", "sim", "account", "cancel"),
    "membership": ("points", "renewal"),
}
_OTHERS = {
    "writing": {
        "everyday": ("leave", "notice", "letter", "rewrite", "plan"),
        "creative": ("story", "poem"),
        "business": ("product",),
    },
    "knowledge": {
        "geography": ("country", "capital"),
        "nature": ("animal",),
        "science": ("physics", "chemistry", "biology", "mathematics", "computing"),
        "society": ("economics", "language"),
    },
    "code": {"python": ("list", "text", "repair"), "query": ("sql",), "web": ("javascript",), "system": ("shell",)},
    "math": {"arithmetic": ("add", "take", "times", "share"), "story": ("price", "days", "group")},
    "tools": {
        "lookup": ("query_order", "get_bill", "get_points", "get_weather"),
        "action": ("book_engineer",),
        "compute": ("convert_currency",),
    },
}


def write_taxonomy(root: Path) -> None:
    """Writes taxonomy.yaml: ability -> group -> tags; a service tag carries its Chinese name in a comment."""
    names = load("topics_zh")
    lines = ["# The tags of the sample data: ability, group, tags.", "service:"]
    for group, tags in _GROUPS.items():
        lines.append(f"  {group}:")
        lines += [f"    - {tag}  # {names[tag]['name'][0]}" for tag in tags]
    for ability, groups in _OTHERS.items():
        lines.append(f"{ability}:")
        for group, tags in groups.items():
            lines.append(f"  {group}:")
            lines += [f"    - {tag}" for tag in tags]
    (root / "taxonomy.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
