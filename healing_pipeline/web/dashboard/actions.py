"""What a visitor may do: acknowledge, silence, announce maintenance. Forms in, checked values out.

Nothing here writes; a form that cannot be used becomes sentences for whoever filled it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from starlette.requests import Request

from healing_pipeline.alerting.muting import matches
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import HealingPipelineError

Form = Mapping[str, str]

LONGEST_FORM = 8_192
MOST_FIELDS = 30
LONGEST_NAME, LONGEST_REASON, LONGEST_PATTERN = 60, 300, 200
LONGEST_MUTE = timedelta(days=366)
SPANS: Mapping[str, tuple[str, timedelta]] = {
    "1h": ("1 hour", timedelta(hours=1)),
    "4h": ("4 hours", timedelta(hours=4)),
    "1d": ("1 day", timedelta(days=1)),
}
UNTIL = "until"


class FormError(HealingPipelineError):
    """A form that cannot be used.

    Parameters
    ----------
    problems : list of str
        What to change, a sentence each.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(" ".join(problems))


class NoFormError(HealingPipelineError):
    """A request whose body is no form of ours."""


@dataclass(frozen=True, slots=True)
class AskedSilence:
    """A silence as it was asked for; `source` and `endpoint` None: all."""

    source: str | None
    endpoint: str | None
    ends_at: datetime
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class AskedMaintenance:
    """A window as it was asked for."""

    source: str | None
    begins_at: datetime
    ends_at: datetime
    reason: str


async def form_of(request: Request) -> Form:
    """The fields of a form; of one that is given twice the first.

    Raises
    ------
    NoFormError
        If the body is none, or longer than any of ours.
    """
    said = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if said != "application/x-www-form-urlencoded":
        raise NoFormError("Send a form: `application/x-www-form-urlencoded`.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise NoFormError(f"A form of ours has at most {LONGEST_FORM} bytes.")
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise NoFormError("The body of the request is no form.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields.setdefault(name, value)
    return fields


def name_in(form: Form) -> str:
    """Who does it.

    Raises
    ------
    FormError
        If nobody says so.
    """
    problems: list[str] = []
    name = _line(form, "by", LONGEST_NAME, "your name", problems)
    _raise(problems)
    return name


def silence_in(form: Form, catalog: Catalog, now: datetime) -> AskedSilence:
    """The silence that a form asks for.

    Raises
    ------
    FormError
        With everything that is wrong.
    """
    problems: list[str] = []
    source = _source(form, catalog, problems)
    endpoint = form.get("endpoint", "").strip() or None
    if endpoint is not None and (len(endpoint) > LONGEST_PATTERN or not endpoint.isprintable()):
        problems.append(f"The endpoint has at most {LONGEST_PATTERN} printable characters.")
    elif endpoint is not None and not any(
        source in {None, each.source} and matches(endpoint, each.id)
        for each in catalog.endpoints.values()
    ):
        of = "" if source is None else f" of {source}"
        problems.append(
            f"No endpoint{of} is called {endpoint!r}. Name one as the overview does, or several "
            "with *: chart-*."
        )
    ends_at = _ends_at(form, now, now, problems)
    reason = _line(form, "reason", LONGEST_REASON, "a reason", problems)
    by = _line(form, "by", LONGEST_NAME, "your name", problems)
    _raise(problems)
    return AskedSilence(source, endpoint, ends_at, reason, by)


def maintenance_in(form: Form, catalog: Catalog, now: datetime) -> AskedMaintenance:
    """The maintenance window that a form asks for.

    Raises
    ------
    FormError
        With everything that is wrong.
    """
    problems: list[str] = []
    source = _source(form, catalog, problems)
    begins_at = now
    if form.get("begins", "").strip():
        begins_at = _moment(form, "begins", "begin", problems) or now
    ends_at = _ends_at(form, begins_at, now, problems)
    reason = _line(form, "reason", LONGEST_REASON, "a reason", problems)
    by = _line(form, "by", LONGEST_NAME, "your name", problems)
    _raise(problems)
    # The table of windows has no column for it, and it is worth knowing.
    return AskedMaintenance(source, begins_at, ends_at, f"{reason} ({by})")


def _source(form: Form, catalog: Catalog, problems: list[str]) -> str | None:
    source = form.get("source", "").strip() or None
    if source is not None and source not in catalog.sources:
        problems.append(f"There is no source {source[:60]!r}; choose one of the list.")
    return source


def _ends_at(form: Form, begins_at: datetime, now: datetime, problems: list[str]) -> datetime:
    span = form.get("for", "")
    if span in SPANS:
        ends_at = begins_at + SPANS[span][1]
    elif span == UNTIL:
        written = _moment(form, UNTIL, "end", problems)
        if written is None:
            return begins_at
        ends_at = written
    else:
        problems.append(f"Say for how long: {', '.join(name for name, _ in SPANS.values())}.")
        return begins_at
    if ends_at <= begins_at:
        problems.append("It has to end after it begins.")
    elif ends_at <= now:
        problems.append(f"That was over at {ends_at:%Y-%m-%d %H:%M} UTC.")
    elif ends_at - now > LONGEST_MUTE:
        problems.append("It may last a year at most.")
    return ends_at


def _moment(form: Form, name: str, what: str, problems: list[str]) -> datetime | None:
    """A moment as a field `datetime-local` holds it, meant as UTC."""
    written = form.get(name, "").strip()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        problems.append(f"Write the {what} as 2026-03-02T15:30, in UTC.")
        return None
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        problems.append(f"The {what} is out of range.")
        return None


def _line(form: Form, name: str, longest: int, what: str, problems: list[str]) -> str:
    text = " ".join(form.get(name, "").split())
    if not text:
        problems.append(f"Say {what}.")
    elif len(text) > longest or not text.isprintable():
        problems.append(f"Say {what} in at most {longest} printable characters.")
    return text


def _raise(problems: list[str]) -> None:
    if problems:
        raise FormError(problems)
