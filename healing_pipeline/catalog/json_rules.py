"""What a configuration says of a JSON API, as frozen values: key, numbers, and what must hold.

Only sources of the provider `json_api` have such rules. `json_section` reads them from the file;
`providers.json_api` goes by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Steps = tuple[str, ...]
"""The way into a JSON value: names of members and places in lists; empty for the value itself."""

Plain = str | float | bool | None
"""A value as the file writes one: text, number, truth value, null."""

SUCCESS = frozenset(range(200, 300))

_DOT = re.compile(r"(?<!\\)\.")


def steps_of(text: str) -> Steps:
    r"""The steps of a dotted path; ``.`` is the value itself, ``\.`` a dot inside of a name."""
    if text in {"", "."}:
        return ()
    return tuple(each.replace("\\.", ".") for each in _DOT.split(text))


def written(steps: Steps) -> str:
    """The dotted path of `steps`, as a configuration and evidence write it."""
    return ".".join(each.replace(".", "\\.") for each in steps) or "."


class KeyPlace(StrEnum):
    """Where in a request a key goes."""

    HEADER = "header"
    PARAM = "param"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class KeyIn:
    """Where a source wants its key; `name` is that of the header or of the parameter."""

    place: KeyPlace
    name: str = "Authorization"


class MomentForm(StrEnum):
    """How an API writes moments: text to the day or the second, or counted since 1970."""

    DATE = "date"
    TIME = "time"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class Read:
    """Where the numbers stand in a body.

    Attributes
    ----------
    fields : Mapping[str, Steps]
        By the name a number goes by; from a row, where there are `rows`, else from the top.
    rows : Steps or None
        The list whose entries are rows; None for a body that speaks of one moment.
    at : Steps or None
        The moment, in each row or once; None where the body says none.
    at_form : MomentForm or None
        How moments are written where another source's numbers are put into this form; all forms
        are read. None: they cannot be.
    instrument : str
        What the numbers are about, upper case.
    interval : str
        ``now`` for one moment; of rows what the file says, else ``rows``.
    numbers_as_text : bool
        Whether numbers may stand in quotes.
    limit_param : str or None
        The query parameter that says how many of the newest rows are asked for.
    """

    fields: Mapping[str, Steps]
    instrument: str
    rows: Steps | None = None
    at: Steps | None = None
    at_form: MomentForm | None = None
    interval: str = "now"
    numbers_as_text: bool = False
    limit_param: str | None = None


class Comparison(StrEnum):
    """How a value of a body is held against the one that is written."""

    EQUAL = "=="
    UNEQUAL = "!="
    BELOW = "<"
    AT_MOST = "<="
    ABOVE = ">"
    AT_LEAST = ">="
    ANY_OF = "any_of"
    LIKE = "like"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold of a body.

    Attributes
    ----------
    steps : Steps
    comparison : Comparison
    value : Plain or tuple of Plain
        A tuple for `any_of`; for `like` a text with ``*`` and ``?``; for `present` yes or no.
    of_length : bool
        Whether the length of the list, object or text is compared, in place of the value.
    """

    steps: Steps
    comparison: Comparison
    value: Plain | tuple[Plain, ...]
    of_length: bool = False


@dataclass(frozen=True, slots=True)
class Expect:
    """What must hold of an answer.

    Attributes
    ----------
    status : frozenset of int
    within_s : float or None
        A later answer is slow.
    body : tuple of Condition
        Of the JSON.
    text : str or None
        Must be in the body, which need not be JSON.
    content_type : str or None
        The media type, lower case, without parameters.
    """

    status: frozenset[int] = SUCCESS
    within_s: float | None = None
    body: tuple[Condition, ...] = ()
    text: str | None = None
    content_type: str | None = None
