"""What the overview says of each endpoint, each source and all of them: texts, ready to be shown.

Pure. Everything is written here and once, so that the page that is rendered and the page that is
kept up to date by deltas say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.dashboards import Seen, Standing
from healing_pipeline.web.dashboard.bars import (
    NOBODY,
    SLOTS,
    label_of,
    letters_of,
    runs_of,
    spark_of,
    worst,
    worst_of_each,
)
from healing_pipeline.web.dashboard.incident_telling import LIVE, LOOKS
from healing_pipeline.web.dashboard.rendering import NONE, seconds, share

# What a browser is told of a row; of a change, only what changed.
Row = Mapping[str, str]

NOT_WATCHED = ("none", "not watched")
# The first that holds for any of a source's endpoints is the source's.
WORST_FIRST = ("failed", "healing", "healed", "live", "none")
# In a quarter under way, what stands already counts.
_LETTERS = {State.ESCALATED: "f", State.OPEN: "h", State.HEALING: "h", State.HEALED: "h"}


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of an endpoint at one moment.

    Attributes
    ----------
    day : Seen or None
        What is folded.
    lately : Seen or None
        What is not folded yet.
    standing : Standing or None
    fidelity : str or None
        Of the newest answer.
    worst_now : str
        The worst letter that the quarter under way has had.
    """

    day: Seen | None = None
    lately: Seen | None = None
    standing: Standing | None = None
    fidelity: str | None = None
    worst_now: str = NOBODY

    @property
    def seen(self) -> tuple[Seen, ...]:
        """Both parts, where there are any."""
        return tuple(each for each in (self.day, self.lately) if each is not None)


@dataclass(frozen=True, slots=True)
class Shown:
    """An endpoint's row, with what its source's row is made of."""

    row: Row
    state: str
    letters: str
    seen: tuple[Seen, ...]


def letter_now(standing: Standing | None) -> str:
    """What an endpoint's standing alone makes of the quarter under way."""
    if standing is None:
        return NOBODY
    return "h" if standing.state is None else _LETTERS[State(standing.state)]


def endpoint_shown(known: Known, newest: int, today: date) -> Shown:
    """The row of one endpoint.

    Parameters
    ----------
    newest : int
        The quarter under way, since 1970.
    today : datetime
        Of UTC; its own moments are written without their date.
    """
    letters = letters_of(
        (
            (quarter, letter)
            for each in known.seen
            for quarter, letter in zip(each.quarters, each.letters, strict=True)
        ),
        newest,
    )
    now = worst((letters[-1], known.worst_now, letter_now(known.standing)))
    letters = letters[:-1] + now
    state, word = _state(known.standing, is_watched=letters != NOBODY * SLOTS)
    standing = known.standing
    row = {
        "s": state,
        "w": word,
        "a": "" if standing is None else _since(standing.state_since, today),
        "n": "" if standing is None else _note(standing),
        "i": "" if standing is None or standing.incident_id is None else str(standing.incident_id),
        "f": (standing and standing.fidelity) or known.fidelity or NONE,
        "r": (standing and standing.strategy) or "",
        "ra": "" if standing is None else _since(standing.route_since, today),
        **_bar(letters),
        **_rates(known.seen),
        **_waits(known.seen, newest),
    }
    return Shown(row, state, letters, known.seen)


def source_shown(endpoints: Sequence[Shown]) -> Row:
    """The row of a whole source: the worst of its endpoints, and the rates of all together."""
    letters = worst_of_each([each.letters for each in endpoints])
    state = next(
        (each for each in WORST_FIRST if any(one.state == each for one in endpoints)), "none"
    )
    seen = tuple(part for each in endpoints for part in each.seen)
    return {"s": state, "w": _counted(endpoints), **_bar(letters), **_rates(seen)}


def summary_of(endpoints: Iterable[Shown]) -> str:
    """``52 endpoints: 1 failed, 51 live``."""
    shown = list(endpoints)
    return f"{len(shown)} endpoint{'' if len(shown) == 1 else 's'}: {_counted(shown)}"


def _counted(endpoints: Sequence[Shown]) -> str:
    words = {"none": "not watched"}
    parts = [
        f"{count} {words.get(state, state)}"
        for state in WORST_FIRST
        if (count := sum(each.state == state for each in endpoints))
    ]
    return ", ".join(parts)


def _state(standing: Standing | None, *, is_watched: bool) -> tuple[str, str]:
    if standing is None:
        return LIVE if is_watched else NOT_WATCHED
    # A route without an incident: readers are served by it all the same.
    return LOOKS[State.HEALED if standing.state is None else State(standing.state)]


def _note(standing: Standing) -> str:
    if standing.failure_class is None:
        return ""
    return f"{standing.failure_class}: {standing.evidence or ''}"


def _since(at: datetime | None, today: date) -> str:
    if at is None:
        return ""
    is_today = at.astimezone(UTC).date() == today
    return f"{at.astimezone(UTC):%H:%M:%S}" if is_today else f"{at.astimezone(UTC):%m-%d %H:%M}"


def _bar(letters: str) -> Row:
    return {"b": runs_of(letters), "bl": label_of(letters)}


def _rates(seen: Iterable[Seen]) -> Row:
    requests = met = healed = errors = probes = failures = 0
    for each in seen:
        requests += each.requests
        met += each.met_fault
        healed += each.healed
        errors += each.reader_errors
        probes += each.probes
        failures += each.failures
    return {
        "e": share(errors / requests if requests else None),
        "et": _of(errors, requests),
        "h": share(healed / met if met else None),
        "ht": _of(healed, met),
        "u": share(1 - failures / probes if probes else None),
        "ut": _of(probes - failures, probes),
    }


def _of(part: int, whole: int) -> str:
    return f"{counted(part)} of {counted(whole)}"


def counted(number: int) -> str:
    """``999``, ``1.2 k``, ``3.4 M``: two digits, so that one more request changes nothing."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            value = number / unit
            return f"{value:.1f} {name}" if value < 10 else f"{value:.0f} {name}"
    return str(number)


def _waits(seen: Sequence[Seen], newest: int) -> Row:
    waits = {
        quarter: wait
        for each in seen
        for quarter, wait in zip(each.quarters, each.p50_ms, strict=True)
    }
    last = next((waits[each] for each in sorted(waits, reverse=True) if waits[each] >= 0), None)
    return {
        "p": spark_of(waits, newest),
        "m": seconds(None if last is None else last / 1000),
    }
