"""What people should know though readers are served."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from psycopg import Connection

from healing_pipeline.alerting.actions import HEALS_TOO_OFTEN, LONG_BY_FALLBACK
from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.muting import Mutes, Subject, muted_because
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.alerting.wording import lasted
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage import alert_watch
from healing_pipeline.storage.alerts import advised_since, save_alert

ADVISE_EVERY = timedelta(minutes=1)
# An endpoint is advised of once in this time.
ADVISED_FOR = timedelta(days=1)
OFTEN_WITHIN = timedelta(hours=1)
# Served by fallback is yellow on the dashboard at once; after this people should think about it.
FALLBACK_IS_LONG_AFTER = timedelta(hours=1)


class Advisor:
    """Advises once a day of what is healed too often or served by fallback for long."""

    def __init__(self, settings: AlertSettings) -> None:
        self._settings = settings
        self._looked_at: datetime | None = None

    def advise(self, connection: Connection[Any], mutes: Mutes, now: datetime) -> None:
        """Save what is to be advised; looks once a minute."""
        at = self._looked_at
        if at is not None and timedelta() <= now - at < ADVISE_EVERY:
            return
        self._looked_at = now
        often = alert_watch.often_healed(
            connection, now - OFTEN_WITHIN, self._settings.heals_too_often
        )
        long = alert_watch.long_by_fallback(connection, now - FALLBACK_IS_LONG_AFTER)
        if not often and not long:
            return
        known = advised_since(connection, now - ADVISED_FOR)
        self._advise(
            connection,
            mutes,
            now,
            "heals_too_often",
            [
                (
                    each.source,
                    each.endpoint,
                    f"{each.endpoint}: {each.heals} heals within an hour, the last of "
                    f"{each.failure_class} by {each.strategy or 'itself'}",
                )
                for each in often
                if f"heals_too_often:{each.endpoint}" not in known
            ],
            "is healed too often",
            HEALS_TOO_OFTEN,
        )
        self._advise(
            connection,
            mutes,
            now,
            "fallback",
            [
                (
                    each.source,
                    each.endpoint,
                    f"{each.endpoint}: {each.fidelity} data by {each.strategy} for "
                    f"{lasted((now - each.since).total_seconds())}",
                )
                for each in long
                if f"fallback:{each.endpoint}" not in known
            ],
            "has been served by fallback for over an hour",
            LONG_BY_FALLBACK,
        )

    def _advise(
        self,
        connection: Connection[Any],
        mutes: Mutes,
        now: datetime,
        matter: str,
        found: Sequence[tuple[str, str, str]],
        words: str,
        action: str,
    ) -> None:
        """One message for all endpoints of a source: (source, endpoint, line) each."""
        told = [
            each
            for each in found
            if muted_because(Subject(matter, each[0], (each[1],)), mutes, now) is None
        ]
        for source, of_source in groupby(sorted(told), key=lambda each: each[0]):
            each = list(of_source)
            endpoints = [endpoint for _, endpoint, _ in each]
            more = f" and {len(each) - 1} more" if len(each) > 1 else ""
            save_alert(
                connection,
                at=now,
                level=Severity.WARNING,
                title=f"{endpoints[0]}{more} {words}",
                body=f"{'; '.join(line for _, _, line in each)}. Readers are served.",
                dedupe_key=f"advisory:{matter}:{endpoints[0]}:{now:%Y-%m-%dT%H:%M}",
                kind=Kind.ADVISORY,
                source=source,
                detail={
                    "source": source,
                    "endpoints": endpoints,
                    "subjects": [f"{matter}:{endpoint}" for endpoint in endpoints],
                    "action": action,
                    "because": words,
                    "path": f"/health-dashboard/endpoints/{endpoints[0]}",
                },
            )
