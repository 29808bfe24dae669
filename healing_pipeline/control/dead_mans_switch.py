"""Whether anybody looks at the sources, and heals what is found: what is dead cannot tell so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting import actions
from healing_pipeline.alerting.fingerprints import NOBODY_HEALS, NOBODY_LOOKS
from healing_pipeline.alerting.wording import lasted
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.alert_firing import fire, recover
from healing_pipeline.incidents.detection import HEAL_LOST_AFTER, UNTAKEN_AFTER, Severity
from healing_pipeline.storage import alert_watch

# Nobody looks when what is due has been so for so many intervals, and for so long at least.
INTERVALS_MISSED = 4
LEAST_MISSED = timedelta(minutes=2)
# Nobody heals when an incident has asked twice in vain, and a minute more.
UNHEARD_OF = HEAL_LOST_AFTER + UNTAKEN_AFTER + timedelta(minutes=1)
# A gap between two evaluations: this process, or the machine, slept.
SLEPT = timedelta(minutes=1)


class DeadMansSwitch:
    """Tells when nobody looks at the sources any more, or heals what was found.

    Notes
    -----
    While somebody looks, what is due is claimed or put off within moments; while somebody heals, an
    incident hears of it within a minute. A first start is no alarm: it is only told of what was
    seen to be missed, so that neither a night in which everything was off nor a machine that slept
    counts.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._watching_since: datetime | None = None
        self._last_at: datetime | None = None
        # By fingerprint; what is not known may have been told by another process.
        self._has_fired: dict[str, bool] = {}

    def look(self, connection: Connection[Any], now: datetime) -> None:
        """Fire or recover the groups `NOBODY_LOOKS` and `NOBODY_HEALS`."""
        if self._last_at is None or not timedelta() <= now - self._last_at < SLEPT:
            self._watching_since = now
        self._last_at = now
        assert self._watching_since is not None, "it was set the first time"
        if self._catalog.endpoints:
            self._look_at_probes(connection, self._watching_since, now)
        self._look_at_heals(connection, self._watching_since, now)

    def _look_at_probes(
        self, connection: Connection[Any], watching_since: datetime, now: datetime
    ) -> None:
        looked = alert_watch.looked_until(connection)
        shortest = timedelta(
            seconds=min(each.interval_s for each in self._catalog.endpoints.values())
        )
        seen, interval = (watching_since, shortest) if looked is None else looked
        missed = now - max(seen, watching_since)
        if missed >= max(INTERVALS_MISSED * interval, LEAST_MISSED):
            evidence = (
                f"nothing was probed for {lasted(missed.total_seconds())}, and the shortest "
                f"interval is {lasted(interval.total_seconds())}"
            )
            self._fire(
                connection,
                NOBODY_LOOKS,
                now,
                title="Nobody looks at the sources",
                body=f"{evidence[:1].upper()}{evidence[1:]}. What fails now is seen by readers "
                "only, and healed within their requests only.",
                detail={
                    "over": "The sources are looked at again",
                    "evidence": evidence,
                    "began_at": now - missed,
                    "action": actions.NOBODY_LOOKS,
                },
            )
        elif now - seen < LEAST_MISSED:
            self._recover(connection, NOBODY_LOOKS, now, "sources are looked at again")

    def _look_at_heals(
        self, connection: Connection[Any], watching_since: datetime, now: datetime
    ) -> None:
        waiting = [
            (endpoint, since)
            for endpoint, since in alert_watch.waiting_for_heals(connection)
            if now - max(since, watching_since) >= UNHEARD_OF
        ]
        if not waiting:
            self._recover(connection, NOBODY_HEALS, now, "what was found is healed again")
            return
        endpoint, since = waiting[0]
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        evidence = f"{endpoint}{more} heard of no heal for {lasted((now - since).total_seconds())}"
        self._fire(
            connection,
            NOBODY_HEALS,
            now,
            title="Nobody heals what was found",
            body=f"{evidence}. Readers are healed within their requests only; no route spares them "
            "the failed first attempt.",
            detail={
                "over": "What is found is healed again",
                "evidence": evidence,
                "endpoints": [each for each, _ in waiting],
                "began_at": since,
                "action": actions.NOBODY_HEALS,
            },
        )

    def _fire(
        self,
        connection: Connection[Any],
        fingerprint: str,
        now: datetime,
        *,
        title: str,
        body: str,
        detail: Mapping[str, object],
    ) -> None:
        if self._has_fired.get(fingerprint) is not True:
            fire(
                connection,
                fingerprint=fingerprint,
                level=Severity.ERROR,
                title=title,
                body=body,
                at=now,
                detail=detail,
            )
        self._has_fired[fingerprint] = True

    def _recover(
        self, connection: Connection[Any], fingerprint: str, now: datetime, note: str
    ) -> None:
        if self._has_fired.get(fingerprint) is not False:
            recover(connection, fingerprint=fingerprint, at=now, note=note)
        self._has_fired[fingerprint] = False
