"""Following a dotted path into a JSON value."""

from __future__ import annotations

import re

from healing_pipeline.catalog.json_rules import Steps, written
from healing_pipeline.providers.bodies import NotReadableError, kind_of

_PLACE = re.compile(r"-?[0-9]{1,9}", re.ASCII)


def found_at(value: object, steps: Steps, within: str = "") -> object:
    """What stands at the end of `steps`; not readable where the way there is interrupted.

    `within` is how the path to `value` is written, for the evidence.
    """
    for number, step in enumerate(steps):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _PLACE.fullmatch(step):
            place = int(step)
            if not -len(value) <= place < len(value):
                raise NotReadableError(
                    f"{named(steps[: number + 1], within)} is missing: the list has {len(value)} "
                    "entries"
                )
            value = value[place]
        elif isinstance(value, dict):
            raise NotReadableError(f"{named(steps[: number + 1], within)} is missing")
        else:
            raise NotReadableError(
                f"{named(steps[:number], within)} is {kind_of(value)}, expected "
                f"{'a list' if _PLACE.fullmatch(step) else 'an object'} with {step!r}"
            )
    return value


def named(steps: Steps, within: str = "") -> str:
    """How evidence writes a path: ``data.prices[3].close``; ``the body`` for the value itself."""
    own = written(steps) if steps else ""
    return ".".join(each for each in (within, own) if each) or "the body"
