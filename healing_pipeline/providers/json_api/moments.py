"""Moments as JSON APIs write them: ISO 8601 in text, seconds or milliseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from healing_pipeline.providers.bodies import LATEST, OLDEST_BAR, NotReadableError, kind_of, moment

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?\s?(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)?)?",
    re.ASCII,
)
_NUMERAL = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,9})?", re.ASCII)

# As seconds the year 5138, as milliseconds the year 1973: nobody means the former, and of the years
# before 1973 nobody's API speaks in milliseconds.
FIRST_MILLISECONDS = 100_000_000_000


def moment_of(said: object, what: str, *, as_text: bool = False) -> datetime:
    """The moment that `said` names, aware UTC; one without a zone is taken for UTC.

    `as_text` takes counted seconds in quotes, too.
    """
    at: datetime | None = None
    if isinstance(said, str):
        at = _written(said.strip())
        if at is None and as_text and _NUMERAL.fullmatch(said.strip()):
            at = _counted(float(said), what)
    elif isinstance(said, int | float) and not isinstance(said, bool):
        at = _counted(said, what)
    else:
        raise NotReadableError(f"{what} is {kind_of(said)}, expected a moment")
    if at is None:
        raise NotReadableError(
            f"{what} is no plausible moment: expected an ISO date or time, seconds or milliseconds"
        )
    return at


def _counted(said: float, what: str) -> datetime | None:
    per_second = 1000 if said >= FIRST_MILLISECONDS else 1
    return moment(said, what, per_second=per_second, oldest=OLDEST_BAR)


def _written(said: str) -> datetime | None:
    if len(said) > 40 or _ISO.fullmatch(said) is None:
        return None
    try:
        at = datetime.fromisoformat(said.replace(" +", "+").replace(" Z", "Z").upper())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if OLDEST_BAR <= at < LATEST else None
