"""Which strategies there are: ours, and those that other packages announce.

A package of a user's own adds one by an entry point in the group ``healing_pipeline.strategies``,
whose value is a `Strategy` or a class that makes one without arguments::

    [project.entry-points."healing_pipeline.strategies"]
    weekend_cache = "acme_healing:WeekendCache"
"""

from __future__ import annotations

import dataclasses
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import iscoroutinefunction
from typing import cast

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.healing.strategy import Cost, Strategy

GROUP = "healing_pipeline.strategies"


@cache
def all_strategies() -> tuple[Strategy, ...]:
    """Ours, then the announced ones by name; what is installed is looked up once.

    Raises
    ------
    ConfigurationError
        When an announced strategy cannot be used: it does not load, lacks something, goes by
        another name than its entry point, or by a name that is taken.
    """
    found = {each.name: each for each in STRATEGIES}
    for entry in sorted(entry_points(group=GROUP), key=lambda each: (each.name, each.value)):
        if entry.name in found:
            raise ConfigurationError(
                f"The strategy {entry.name!r} of {_package(entry)} has a name that is taken.",
                f"Give it another name, or uninstall {_package(entry)}.",
            )
        found[entry.name] = _load(entry)
    return tuple(found.values())


def _load(entry: EntryPoint) -> Strategy:
    try:
        loaded = entry.load()
        strategy = loaded() if isinstance(loaded, type) else loaded
        wrong = _fault(strategy, entry.name)
    except Exception as exc:  # anything can go wrong in a stranger's code
        raise ConfigurationError(
            f"The strategy {entry.name!r} of {_package(entry)} cannot be loaded: "
            f"{type(exc).__name__}: {exc}.",
            _cure(entry),
        ) from exc
    if wrong is not None:
        problem = f"The strategy {entry.name!r} of {_package(entry)} {wrong}."
        raise ConfigurationError(problem, _cure(entry))
    return cast(Strategy, strategy)


def _fault(strategy: object, name: str) -> str | None:
    """What keeps `strategy` from being used; None if nothing does."""
    if getattr(strategy, "name", None) != name:
        return "goes by another name than its entry point"
    if not callable(getattr(strategy, "applies", None)):
        return "has no applies()"
    if not iscoroutinefunction(getattr(strategy, "heal", None)):
        return "has no `async def heal()`"
    if not isinstance(getattr(strategy, "cost", None), Cost):
        return "has no `cost` that is a Cost"
    parameters = getattr(type(strategy), "__dataclass_params__", None)
    if not dataclasses.is_dataclass(strategy) or not getattr(parameters, "frozen", False):
        return "is no frozen dataclass, so its parameters could change under a plan"
    return None


def _package(entry: EntryPoint) -> str:
    return repr(entry.value) if entry.dist is None else f"the package {entry.dist.name!r}"


def _cure(entry: EntryPoint) -> str:
    return f"Mend {entry.value}, or uninstall {_package(entry)}."
