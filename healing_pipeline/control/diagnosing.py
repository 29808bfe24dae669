"""What is broken now: the causes of all that fails are found and written down.

Whoever heals does so for the source of its incident, and whoever tells people does so each second
for all. One at a time writes, in a transaction of its own that is over at once: what one has
written is what the next one starts from.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from psycopg import Connection, InterfaceError, OperationalError

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.gathering import Places, gathered, rested_on_by_source
from healing_pipeline.incidents.cause import Cause
from healing_pipeline.incidents.evidence import Evidence, standings
from healing_pipeline.incidents.finding import find_causes
from healing_pipeline.incidents.joining import Belonging, joint_ids
from healing_pipeline.incidents.next_looks import worth_asking
from healing_pipeline.learning.policy import Policy
from healing_pipeline.storage import diagnoses, probes
from healing_pipeline.storage.diagnoses import DiagnosisRow, Joined, Known
from healing_pipeline.storage.policies import active_policy, active_version

# Between tries to have the turn: it takes whoever has it a few milliseconds.
PAUSES_S = (0.01, 0.02, 0.04)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """What fails now, and because of what.

    Attributes
    ----------
    causes : tuple of Cause
        Every open incident that was looked at is a member of one.
    evidence : Evidence
    joint_ids : Mapping[int, int]
        By incident, the number of the joint incident that it belongs to.
    """

    causes: tuple[Cause, ...]
    evidence: Evidence
    joint_ids: Mapping[int, int]

    def cause_of(self, incident_id: int) -> Cause | None:
        """What an incident is a member of; None for one that is over, or of another source."""
        return next((each for each in self.causes if incident_id in each.members), None)


class Diagnosing:
    """Finds the causes of all that fails, again and again.

    What an object remembers is what the policy in force says of endpoints that fail together.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._places = standings(catalog)
        self._policy_version: int | None = None
        self._groups: tuple[frozenset[str], ...] = ()

    def look(self, connection: Connection[Any], now: datetime) -> Diagnosed:
        """Do it once, in a transaction that holds nothing else; to be called each second or two."""
        version = active_version(connection)
        if version != self._policy_version:
            active = active_policy(connection)
            self._groups = () if active is None else groups_of(active[1])
            self._policy_version = version
        return diagnose_open(connection, self._places, now, groups=self._groups)


def diagnose_open(
    connection: Connection[Any],
    places: Places,
    now: datetime,
    *,
    source: str | None = None,
    groups: Sequence[frozenset[str]] = (),
) -> Diagnosed:
    """Find the causes of what fails, and write down what differs from what was known.

    Parameters
    ----------
    places : Mapping[str, Standing]
        As `incidents.evidence.standings` gives them.
    now : datetime
        Aware UTC.
    source : str, optional
        What fails there only; causes do not span sources, but our own network, and then all is
        looked at.
    groups : sequence of frozenset of str
        Endpoints that failed together in the past; see `groups_of`.

    Notes
    -----
    Safe to call by many at once, and as often as one likes, in a transaction that holds nothing
    else. One that finds others at it for longer than a moment leaves what there is to write to the
    next time.
    """
    found, known = _look(connection, places, now, source, groups)
    for pause_s in (0.0, *PAUSES_S):
        if _changes(connection, known, found, now) == ([], []):
            return found
        time.sleep(pause_s)
        is_first = diagnoses.take_diagnosis_turn(connection)
        # Whoever had the turn before may have written what this one did not know of.
        found, known = _look(connection, places, now, source, groups)
        if is_first:
            joined, verdicts = _changes(connection, known, found, now)
            diagnoses.join_incidents(connection, joined)
            diagnoses.add_diagnoses(connection, verdicts)
            # A few more looks, at once, would say how far it goes.
            probes.hasten_all(connection, worth_asking(found.evidence), now)
            break
    return found


def causes_at(
    connection: Connection[Any], catalog: Catalog, source: str, now: datetime
) -> Diagnosed | None:
    """What fails at a source, for whoever heals there; None where a fault of ours keeps us from it.

    Readers are waiting: an incident is healed by what it says itself then.
    """
    try:
        with connection.transaction():
            return diagnose_open(connection, standings(catalog), now, source=source)
    except (OperationalError, InterfaceError):
        raise  # the tables are away, for healing as well
    except Exception:
        _LOG.exception("The causes of what fails at %s are not known", source)
        return None


def causes_now(
    connection: Connection[Any],
    places: Places,
    now: datetime,
    *,
    groups: Sequence[frozenset[str]] = (),
) -> Diagnosed:
    """What `diagnose_open` would find of all that fails at this moment; writes nothing."""
    return _look(connection, places, now, None, groups)[0]


def groups_of(policy: Policy) -> tuple[frozenset[str], ...]:
    """Endpoints that fail together, as the outer layer of learning found them."""
    rows = policy.tables.get("groups_failing_together", ())
    return tuple(frozenset(str(each["group"]).split()) for each in rows)


def _look(
    connection: Connection[Any],
    places: Places,
    now: datetime,
    source: str | None,
    groups: Sequence[frozenset[str]],
) -> tuple[Diagnosed, list[Known]]:
    known, evidence = gathered(connection, places, now, source=source, groups=groups)
    return _diagnosed(known, evidence), known


def _diagnosed(known: Sequence[Known], evidence: Evidence) -> Diagnosed:
    causes = find_causes(evidence)
    belongings = {
        each.failing.incident_id: Belonging(
            each.failing.incident_id, each.joint_id, each.root_cause, each.place
        )
        for each in known
    }
    numbers = {
        member: number
        for number, cause in joint_ids(causes, belongings).items()
        for member in cause.members
    }
    return Diagnosed(causes, evidence, numbers)


def _changes(
    connection: Connection[Any], known: Sequence[Known], found: Diagnosed, now: datetime
) -> tuple[list[Joined], list[DiagnosisRow]]:
    """What is to be written: of incidents what they belong to, and verdicts that say otherwise."""
    before = {each.failing.incident_id: each for each in known}
    joined, verdicts = [], []
    for cause in found.causes:
        number = found.joint_ids[cause.members[0]]
        for member in cause.members:
            own = Joined(
                incident_id=member,
                parent_id=None if member == number else number,
                root_cause=str(cause.root_cause),
                place=str(cause.place),
                severity=cause.severity,
            )
            if own != _as_joined(before[member]):
                joined.append(own)
        verdicts.append(
            DiagnosisRow(
                incident_id=number,
                at=now,
                root_cause=str(cause.root_cause),
                place=str(cause.place),
                scope=cause.scope,
                members=cause.members,
                severity=cause.severity,
                chain=cause.chain,
                rested_on={"source": cause.place.source},
            )
        )
    latest = diagnoses.latest_diagnoses(connection, [each.incident_id for each in verdicts])
    new = [
        each
        for each in verdicts
        if (said := latest.get(each.incident_id)) is None or not said.says_the_same(each)
    ]
    if not new:
        return joined, []
    rested_on = rested_on_by_source(found.evidence)
    return joined, [
        replace(each, rested_on=rested_on.get(each.rested_on["source"], {})) for each in new
    ]


def _as_joined(known: Known) -> Joined:
    return Joined(
        incident_id=known.failing.incident_id,
        parent_id=known.parent_id,
        root_cause=known.root_cause or "",
        place=known.place or "",
        severity=known.severity,
    )
