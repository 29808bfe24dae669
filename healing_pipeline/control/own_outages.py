"""Our own connection's outages: noted once, told once, and nobody else told of meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.actions import action_for
from healing_pipeline.alerting.fingerprints import OWN_NETWORK
from healing_pipeline.alerting.wording import lasted
from healing_pipeline.control.alert_firing import fire, recover
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.diagnosis import RootCause
from healing_pipeline.storage import own_outages


def begin_own_outage(connection: Connection[Any], *, at: datetime, evidence: str) -> bool:
    """Tell that we are cut off; False when that is told already."""
    with connection.transaction():
        if not own_outages.note_own_outage(connection, at=at, evidence=evidence):
            return False
        fire(
            connection,
            fingerprint=OWN_NETWORK,
            level=Severity.CRITICAL,
            title="Our own connection is down",
            body=f"{evidence}. No provider is blamed, nothing is probed or healed until one of "
            "them can be reached; then it goes on by itself. Readers are served from stored data.",
            at=at,
            root_cause=RootCause.OUR_NETWORK,
            detail={
                "over": "Our own connection is back",
                "evidence": evidence,
                "began_at": at,
                "action": action_for(RootCause.OUR_NETWORK),
            },
        )
        return True


def end_own_outage(connection: Connection[Any], *, at: datetime, evidence: str) -> bool:
    """Tell that it is over; False when it is told already, or there was none.

    People read of it once it has stayed so; see `control.alerting`.
    """
    with connection.transaction():
        outage = own_outages.note_own_outage_over(connection, at=at)
        if outage is None:
            return False
        assert outage.ended_at is not None, "it has just ended"
        seconds = (outage.ended_at - outage.began_at).total_seconds()
        recover(
            connection,
            fingerprint=OWN_NETWORK,
            at=outage.ended_at,
            note=f"it came back by itself after {lasted(seconds)}: {evidence}",
        )
        return True
