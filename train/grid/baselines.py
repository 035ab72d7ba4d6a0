"""The mixtures every search is held against: without them a best mix has nothing to be better than."""

from __future__ import annotations

from collections.abc import Sequence

from curate.mixture import MixSpec

BASE = "base"
"""The model before training, which has no mixture."""
CENTRE = "equal"
"""The baseline the noise floor is measured on."""


def baselines(abilities: Sequence[str], has_both_sides: bool, shared: MixSpec) -> dict[str, MixSpec]:
    """Returns the baselines by name: equal, proportional, T=2, 1:5, 1:10 and each ability alone.

    `shared` holds unit, budget and limits. The ratios are of domain to general data and stand where the pool has both;
    within a budget they are shares of it, else every domain row is taken once.
    """
    rules: dict[str, dict[str, object]] = {
        CENTRE: {"equal": True},
        "proportional": {"proportional": True},
        "T=2": {"temperature": {"T": 2}},
    }
    if has_both_sides:
        for general in (5, 10):
            shares: dict[str, object] = {"by": "domain", "weights": {"domain": 1, "general": general}}
            rules[f"1:{general}"] = shares if shared.budget else {"domain_to_general": f"1:{general}"}
    if len(abilities) > 1:
        for name in abilities:
            rules[f"only {name}"] = {"weights": {other: float(other == name) for other in abilities}}
    told = shared.model_dump(exclude_unset=True)
    return {name: MixSpec.model_validate({**told, **rule}) for name, rule in rules.items()}
