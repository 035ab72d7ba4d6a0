"""The table of stages: name -> ``module:Class``. Plugins add to it through the entry point group ``curate.stages``.

Nothing is imported until a stage is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from curate.errors import RecipeError, did_you_mean
from curate.interrupts import postponed_interrupt
from curate.stage import Stage

BUILT_IN: dict[str, str] = {
    "normalize": "curate.stages.clean.normalize:Normalize",
    "strip_fillers": "curate.stages.clean.strip_fillers:StripFillers",
    "forbid": "curate.stages.safety.forbid:Forbid",
    "require": "curate.stages.safety.require:Require",
    "redact_pii": "curate.stages.safety.redact_pii:RedactPii",
    "language": "curate.stages.quality.language:Language",
    "length": "curate.stages.quality.length:Length",
    "repetition": "curate.stages.quality.repetition:Repetition",
    "attach_profile": "curate.stages.history.attach_profile:AttachProfile",
    "validate_chat": "curate.stages.history.validate_chat:ValidateChat",
    "truncate_history": "curate.stages.history.truncate_history:TruncateHistory",
    "exact_dedup": "curate.stages.dedup.exact_dedup:ExactDedup",
    "minhash_dedup": "curate.stages.dedup.minhash_dedup:MinhashDedup",
    "semantic_dedup": "curate.stages.dedup.semantic_dedup:SemanticDedup",
    "decontaminate": "curate.stages.decontaminate.decontaminate:Decontaminate",
}
"""The stages that come with the package."""


@cache
def table() -> dict[str, str]:
    """Returns every stage's ``module:Class`` by name, plugins included.

    Raises:
        RecipeError: when two packages offer one name, naming both.
    """
    found = dict(BUILT_IN)
    for point in sorted(entry_points(group="curate.stages"), key=lambda p: (p.name, p.value)):
        if point.name in found and found[point.name] != point.value:
            raise RecipeError(
                f"two packages offer a stage named {point.name!r}: {found[point.name]} and {point.value}; "
                "uninstall one of them or rename its entry point"
            )
        found[point.name] = point.value
    return found


@cache
def stage_class(name: str) -> type[Stage]:
    """Returns the class of a stage.

    Raises:
        RecipeError: for an unknown name, with the nearest known one, or a plugin that is no stage.
    """
    known = table()
    if name not in known:
        raise RecipeError(f"unknown stage {name!r}{did_you_mean(name, known)}")
    module, _, attribute = known[name].partition(":")
    try:
        with postponed_interrupt():
            found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"stage {name!r}: {known[name]} can't be imported ({error})") from error
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise RecipeError(f"stage {name!r}: {known[name]} is not a Stage")
    return found
