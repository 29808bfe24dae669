"""Other tools compare texts: there `1` in quotes and without is the same. Here it is not."""

from __future__ import annotations

import re

from healing_pipeline.catalog.json_rules import Comparison, Plain
from healing_pipeline.importing.checks import Held, Number

# As long as the configuration takes them, and a JSON number holds them.
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?")
_TRUTH = {"true": True, "false": False}


def number_in(text: str) -> Number | None:
    """A decimal number; None for any other text."""
    return Number(text) if _DECIMAL.fullmatch(text) else None


def is_odd_number(text: str) -> bool:
    """Whether another tool may take `text` for a number that cannot be written here: `0x10`."""
    if number_in(text) is not None:
        return False
    try:
        float(text)
    except ValueError:
        pass
    else:
        return True
    try:
        int(text, 0)
    except ValueError:
        return re.fullmatch(r"[+-]?0[0-9]+", text) is not None
    return True


def values_of(text: str) -> tuple[Plain | Number, ...]:
    """All the values that another tool takes for `text`."""
    if text in _TRUTH:
        return (_TRUTH[text], text)
    number = number_in(text)
    return (text,) if number is None else (number, text)


def equal(path: str, texts: tuple[str, ...]) -> Held:
    """That a value is one of those written."""
    values = tuple(value for each in texts for value in values_of(each))
    if len(values) == 1:
        return Held(path, Comparison.EQUAL, values[0])
    return Held(path, Comparison.ANY_OF, values)


def unequal(path: str, text: str) -> Held:
    """That a value is not the one written; of one kind, since only one can be excluded."""
    return Held(path, Comparison.UNEQUAL, values_of(text)[0])
