"""The faults of a JSON object in words: what stands there, what is allowed, where."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from finlora.errors import did_you_mean
from finlora.json_text import Place, shortened


def faults(model: type[BaseModel], entry: Mapping[str, Any]) -> list[tuple[Place, str]]:
    """Return every fault of an object, each with the place of the key it is about.

    Args:
        model: the form the object must have; the descriptions of its fields say what is allowed.
        entry: the object.
    """
    try:
        model.model_validate(entry)
    except ValidationError as error:
        found: dict[Place, str] = {}
        for fault in error.errors():
            spot = _walk(model, entry, fault["loc"])
            if fault["type"] == "union_tag_invalid":
                spot = replace(spot, path=(*spot.path, "kind"), value=fault["ctx"]["tag"])
            found.setdefault(spot.path, _words(spot, fault))
        return list(found.items())
    return []


@dataclass(frozen=True)
class _Spot:
    """Where a fault is: its path in the JSON, what stands there, what is allowed, whose key it is."""

    path: Place
    value: Any
    allowed: str
    owner: type[BaseModel] | None
    is_key: bool = False

    @property
    def name(self) -> str:
        """The path as a person would write it, places in lists counted from 1."""
        return _dotted(self.path)


def _walk(model: type[BaseModel], entry: Any, loc: tuple[Any, ...]) -> _Spot:
    """Follow pydantic's location, which also names the kind of a source, through JSON and form."""
    kind: Any = model
    value, allowed, owner = entry, "", None
    path: list[str | int] = []
    for step in loc:
        if step == "[key]":
            return _Spot(tuple(path), value, allowed, owner, is_key=True)
        kinds = _kinds(kind)
        if len(kinds) > 1:
            kind = next(k for k in kinds if step in get_args(k.model_fields["kind"].annotation))
            continue
        [kind] = kinds
        path.append(step)
        value = _inside(value, step)
        owner = kind if _is_model(kind) else None
        if owner is not None:
            field = owner.model_fields.get(step)
            kind, allowed = (field.annotation, field.description or "") if field else (None, "")
        else:
            kind = get_args(kind)[-1]
    return _Spot(tuple(path), value, allowed, owner)


def _kinds(annotation: Any) -> list[Any]:
    """Return what a value may be, without None and without what pydantic alone reads."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [kind for part in get_args(annotation) if part is not NoneType for kind in _kinds(part)]
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) else None


def _dotted(path: Place) -> str:
    text = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def _words(spot: _Spot, fault: Any) -> str:
    kind, name = fault["type"], spot.name
    outer = _dotted(spot.path[:-1])
    of = f" of {outer}" if outer else ""
    if kind == "extra_forbidden" and spot.owner:
        known = list(spot.owner.model_fields)
        near = did_you_mean(str(spot.path[-1]), known) or f"; known keys: {', '.join(known)}"
        return f"unknown key '{spot.path[-1]}'{of}{near}"
    if kind == "missing":
        return f"the key '{spot.path[-1]}'{of} is missing ({spot.allowed})"
    if kind == "union_tag_not_found":
        return f"the key 'kind' of {name} is missing ({spot.allowed})"
    if spot.is_key:
        return f"unknown key '{spot.path[-1]}'{of}; allowed: {spot.allowed}"
    if kind == "value_error":
        return f"{name} {fault['ctx']['error']}; it is {shortened(spot.value)}"
    return f"{name} is {shortened(spot.value)}; allowed: {spot.allowed}"
