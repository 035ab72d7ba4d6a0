"""Loading a recipe: YAML to model, with errors that name the line, the place and the nearest known name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from curate.errors import RecipeError, did_you_mean
from curate.mixture import MixSpec
from curate.recipe.lines import Located, Place, parse
from curate.recipe.model import Recipe
from curate.registry import stage_class, table
from curate.stage import Only, Stage

Settings = TypeVar("Settings", bound=BaseModel)

_FILE_NAME = re.compile(r"\w[\w. -]*")


def load_recipe(path: Path) -> Recipe:
    """Returns the recipe in a YAML file.

    Raises:
        RecipeError: for anything wrong with it: what, on which line, and the nearest known name for a typo.
    """
    located = _read(path, "recipe")
    if not isinstance(located.data, dict):
        raise RecipeError(f"{path}:1: a recipe is a mapping with `name`, `sources` and `output`")
    data = dict(located.data)
    data["stages"] = _stages(data.get("stages") or [], located, str(path))
    if isinstance(data.get("mix"), str):
        data["mix"] = load_mix(Path(data["mix"]))
    try:
        recipe = Recipe.model_validate(data)
    except ValidationError as error:
        raise _recipe_error(error.errors()[0], located, str(path)) from error
    _check_names(recipe, located, str(path))
    return recipe


def load_mix(path: Path) -> MixSpec:
    """Returns the mixture in a YAML file: the keys of `mix:`, with or without `mix:` above them.

    Raises:
        RecipeError: for anything wrong with it, with its line.
    """
    located = _read(path, "mixture")
    data, inside = located.data, tuple[str, ...]()
    if isinstance(data, dict) and "mix" in data:
        data, inside = data["mix"], ("mix",)
    if not isinstance(data, dict):
        raise RecipeError(f'{path}:1: a mixture is a mapping, such as `domain_to_general: "1:5"`')
    try:
        return MixSpec.model_validate(data)
    except ValidationError as error:
        detail = error.errors()[0]
        place = (*inside, *detail["loc"])
        where = ".".join(str(p) for p in ("mix", *detail["loc"][:-1]))
        line = located.line(place)
        raise RecipeError(f"{path}:{line}: {where}: {_message(detail, _model_at(MixSpec, detail['loc']))}") from error


def _read(path: Path, what: str) -> Located:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"{path}: can't read this {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: a {what} is UTF-8 text, byte {error.start} is not") from error
    return parse(text, str(path))


def _model_at(model: type[BaseModel], place: tuple[str | int, ...]) -> type[BaseModel]:
    """Returns the model whose keys stand at a place: that of the deepest section the place goes into."""
    for key in place[:-1]:
        field = model.model_fields.get(str(key))
        parts = _parts(field.annotation) if field else []
        inner = [part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)]
        named = [part for part in inner if "name" in part.model_fields and part.model_fields["name"].default in place]
        model = (named or inner or [model])[-1]
    return model


def _parts(annotation: Any) -> list[Any]:
    """Returns an annotation and all it is made of."""
    return [annotation, *(part for inner in get_args(annotation) for part in _parts(inner))]


def build_stage(name: str, parameters: dict[str, Any]) -> Stage:
    """Returns a validated stage from its name and parameters.

    Raises:
        RecipeError: for an unknown stage or a wrong parameter.
    """
    cls = stage_class(name)
    try:
        return cls.model_validate(parameters)
    except ValidationError as error:
        detail = error.errors()[0]
        raise RecipeError(f"stage {name!r}: {_message(detail, cls)}") from error


def _stages(entries: Any, located: Located, path: str) -> tuple[Stage, ...]:
    if not isinstance(entries, list):
        raise RecipeError(f"{path}:{located.line(('stages',))}: `stages` is a list, one stage an entry")
    return tuple(_stage(entry, i, located, path) for i, entry in enumerate(entries))


def _stage(entry: Any, index: int, located: Located, path: str) -> Stage:
    place: Place = ("stages", index)
    name: str
    parameters: Any = {}
    if isinstance(entry, str):
        name = entry
    elif isinstance(entry, dict) and len(entry) == 1:
        name, parameters = next(iter(entry.items()))
        parameters = {} if parameters is None else parameters
    else:
        raise RecipeError(
            f"{path}:{located.line(place)}: a stage is a name, or one name with its parameters: `- length: {{min_chars: 2}}`"
        )
    if name not in table():
        raise RecipeError(f"{path}:{located.line(place)}: unknown stage {name!r}{did_you_mean(name, table())}")
    if not isinstance(parameters, dict):
        raise RecipeError(f"{path}:{located.line(place)}: the parameters of stage {name!r} are a mapping")
    cls = stage_class(name)
    try:
        return cls.model_validate(parameters)
    except ValidationError as error:
        detail = error.errors()[0]
        line = located.line((*place, name, *detail["loc"]))
        raise RecipeError(f"{path}:{line}: stage {name!r}: {_message(detail, cls)}") from error


def load_settings(path: Path, what: str, model: type[Settings]) -> Settings:
    """Returns the settings in a YAML file as their model, with the errors a recipe has.

    Raises:
        RecipeError: for anything wrong with it: what, on which line, and the nearest known name for a typo.
    """
    located = _read(path, what)
    if not isinstance(located.data, dict):
        raise RecipeError(f"{path}:1: a {what} is a mapping of names to values")
    try:
        return model.model_validate(located.data)
    except ValidationError as error:
        raise _recipe_error(error.errors()[0], located, str(path), model) from error


def _recipe_error(detail: ErrorDetails, located: Located, path: str, whole: type[BaseModel] = Recipe) -> RecipeError:
    place = tuple(detail["loc"])
    model = _model_at(whole, place)
    where = ".".join(str(p) for p in place[:-1])
    prefix = f"{where}: " if where else ""
    return RecipeError(f"{path}:{located.line(place)}: {prefix}{_message(detail, model)}")


def _message(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Says one of pydantic's errors in the words of recipes."""
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    if detail["type"] == "extra_forbidden":
        known = (
            Only.model_fields if len(detail["loc"]) > 1 and detail["loc"][-2] in ("only", "protect") else _known(model)
        )
        return f"unknown parameter {name!r}{did_you_mean(name, known)}"
    if detail["type"] == "missing":
        return f"{name!r} is missing"
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    found = f" (found {detail['input']!r})" if not isinstance(detail["input"], dict) else ""
    return f"{name!r}: {detail['msg'][0].lower()}{detail['msg'][1:]}{found}"


def _known(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _check_names(recipe: Recipe, located: Located, path: str) -> None:
    """Checks what one part of a recipe says about another: source names, abilities, columns between stages."""
    names = [s.name for s in recipe.sources]
    for i, name in enumerate(names):
        if not _FILE_NAME.fullmatch(name):
            raise RecipeError(
                f"{path}:{located.line(('sources', i))}: sources.{i}: the name {name!r} becomes the name of files; "
                "use letters, digits, dash, underscore, dot and space"
            )
        if name in names[:i]:
            line = located.line(("sources", i))
            raise RecipeError(
                f"{path}:{line}: two sources are named {name!r}; names tell rows apart, so choose another"
            )
    for i, stage in enumerate(recipe.stages):
        for wanted in (stage.only, getattr(stage, "protect", None)):
            for source in wanted.source if wanted else ():
                if source not in names:
                    line = located.line(("stages", i))
                    raise RecipeError(
                        f"{path}:{line}: stage {stage.name!r}: no source is named {source!r}{did_you_mean(source, names)}"
                    )
