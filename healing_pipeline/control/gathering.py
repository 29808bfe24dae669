"""The evidence of what fails now, as it is read from the tables: bounded, whatever the load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.cause import RootCause
from healing_pipeline.incidents.evidence import Evidence, Seen, Standing
from healing_pipeline.incidents.own_network import Judgement
from healing_pipeline.storage.diagnoses import Known, failing, seen_lately
from healing_pipeline.storage.own_outages import OwnOutage, latest_own_outage

# What was seen longer ago says nothing of what fails now.
LOOKS_BACK = timedelta(minutes=10)

# Rows that a diagnosis rests on, however many endpoints there are and however much is asked of
# them: so many, divided among the endpoints; but of probes and of calls to each at least, at most.
MOST_SEEN = 600
LEAST_EACH, MOST_EACH = 1, 10

# Written a moment after it was seen, by a clock that may be a little ahead.
AHEAD = timedelta(seconds=5)

Places = Mapping[str, Standing]


def gathered(
    connection: Connection[Any],
    places: Places,
    now: datetime,
    *,
    source: str | None,
    groups: Sequence[frozenset[str]],
) -> tuple[list[Known], Evidence]:
    """Open incidents, and everything that their causes are found from.

    Parameters
    ----------
    source : str or None
        What fails there only; all while we are cut off.
    groups : sequence of frozenset of str
        Endpoints that failed together in the past.
    """
    outage = latest_own_outage(connection)
    known = failing(connection, None if source is None or _lasts(outage) else [source])
    sources = {each.failing.source for each in known}
    asked = {each for each, place in places.items() if place.source in sources}
    asked |= {each.failing.endpoint for each in known}
    seen: list[Seen] = []
    if known:
        seen = seen_lately(
            connection,
            sorted(asked),
            since=now - LOOKS_BACK,
            until=now + AHEAD,
            most=max(LEAST_EACH, min(MOST_EACH, MOST_SEEN // (2 * len(asked)))),
        )
    judgement = Judgement(True, outage.evidence) if outage is not None and _lasts(outage) else None
    return known, Evidence(
        failing=tuple(each.failing for each in known if not _was_ours(each, outage, seen)),
        seen=tuple(seen),
        endpoints=places,
        now=now,
        own_outage=judgement,
        failing_together=tuple(groups),
    )


def rested_on_by_source(evidence: Evidence) -> dict[str | None, dict[str, Any]]:
    """How much a diagnosis rests on, by source; under None of all of them together."""
    found: dict[str | None, dict[str, Any]] = {}
    by_source: dict[str | None, list[Seen]] = {None: list(evidence.seen)}
    for each in evidence.seen:
        by_source.setdefault(each.source, []).append(each)
    for source, seen in by_source.items():
        found[source] = {
            "calls": len(seen),
            "good": sum(each.is_ok for each in seen),
            "endpoints": len({each.endpoint for each in seen}),
            "from_at": min((each.at for each in seen), default=None),
            "to_at": max((each.at for each in seen), default=None),
            "own_outage": None if evidence.own_outage is None else evidence.own_outage.evidence,
        }
    return found


def _lasts(outage: OwnOutage | None) -> bool:
    return outage is not None and outage.ended_at is None


def _was_ours(each: Known, outage: OwnOutage | None, seen: Sequence[Seen]) -> bool:
    """Whether it failed for want of our own connection, and nobody has seen it fail since.

    All that is known of it then was seen while we were cut off, and blames nobody.
    """
    if outage is None or outage.ended_at is None or each.root_cause != RootCause.OUR_NETWORK:
        return False
    over_at, endpoint = outage.ended_at, each.failing.endpoint
    return not any(one.endpoint == endpoint and one.at > over_at and not one.is_ok for one in seen)
