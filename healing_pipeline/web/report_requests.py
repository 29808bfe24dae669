"""What a request for a report says: which form, which window, how many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request

from healing_pipeline.reporting.forms import FORMS, Form
from healing_pipeline.web.accept import liked_best
from healing_pipeline.web.problems import Problem

DEFAULT_HOURS, LONGEST_HOURS = 24.0, 24.0 * 31
DEFAULT_ROWS, MOST_ROWS = 1_000, 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for.

    Attributes
    ----------
    media_type : str
        What the client knows the form by.
    """

    form: Form
    media_type: str
    since: datetime
    now: datetime
    rows: int


def asked_of(
    request: Request,
    now: datetime,
    forms: Sequence[Form],
    *,
    suffix: str = "",
    rows: int = DEFAULT_ROWS,
) -> Asked | Problem:
    """What a request asks for; a problem with its cure where that cannot be had.

    Parameters
    ----------
    forms : sequence of Form
        Those that there are, at least one.
    suffix : str
        A form's name in the address; outweighs everything.
    rows : int
        Where nothing is said of it.
    """
    hours = _number(request, "hours", DEFAULT_HOURS, LONGEST_HOURS)
    if isinstance(hours, Problem):
        return hours
    most = _number(request, "limit", float(rows), MOST_ROWS)
    if isinstance(most, Problem):
        return most
    named = suffix or request.query_params.get("format")
    chosen = liked(request, forms) if named is None else _named(named, forms)
    if isinstance(chosen, Problem):
        return chosen
    return Asked(chosen, chosen.media_type, now - timedelta(hours=hours), now, int(most))


def liked(request: Request, forms: Sequence[Form]) -> Form | Problem:
    """The form that the client likes best by `Accept`."""
    offers = {each.media_type: each for each in forms}
    found = liked_best(request.headers.get("accept"), tuple(offers))
    return offers[found] if found is not None else not_acceptable(tuple(offers))


def not_acceptable(offers: Sequence[str]) -> Problem:
    """None of the forms that there are is one that the client takes."""
    return Problem(
        "not-acceptable",
        f"There is {', '.join(offers)}: send `Accept` with one of them.",
        {"available": list(offers)},
    )


def _named(name: str, forms: Sequence[Form]) -> Form | Problem:
    for each in forms:
        if each.name == name:
            return each
    there = ", ".join(each.name for each in forms)
    if name in FORMS:
        return Problem("bad-request", f"This does not come as {name}. Write one of: {there}.")
    return Problem("bad-request", f"There is no format {name[:40]!r}. Write one of: {there}.")


def _number(request: Request, name: str, default: float, most: float) -> float | Problem:
    said = request.query_params.get(name)
    if said is None:
        return default
    try:
        found = float(said)
    except ValueError:
        found = 0.0
    if not 0 < found <= most or (name == "limit" and found != int(found)):
        return Problem("bad-request", f"{name} is {said[:40]!r}. Write 1 to {most:g}.")
    return found
