"""People are told: what fires, what recovers, and the one process that judges what time brings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from psycopg import Connection, InterfaceError, OperationalError

from healing_pipeline.alerting.actions import action_for
from healing_pipeline.alerting.error_rates import Finding
from healing_pipeline.alerting.fingerprints import errors_fingerprint, is_of_source
from healing_pipeline.alerting.messages import Kind, message_due, rank
from healing_pipeline.alerting.muting import Mutes, muted_because
from healing_pipeline.alerting.settings import AlertSettings
from healing_pipeline.alerting.wording import errors_body, errors_title
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.control.advising import Advisor
from healing_pipeline.control.alert_errors import ErrorWatch
from healing_pipeline.control.alert_firing import fire, mutes_at, recover, said, save_message
from healing_pipeline.control.alert_recovering import close_well, note_health
from healing_pipeline.control.dead_mans_switch import DeadMansSwitch
from healing_pipeline.control.escalating import tell_escalated
from healing_pipeline.storage import alert_groups, alert_watch, alerts, error_counts
from healing_pipeline.storage.alert_groups import AlertGroup

__all__ = ["Alerting", "Evaluation", "fire", "recover"]

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation did.

    Attributes
    ----------
    took_place : bool
        False when another process was at it.
    escalated : tuple of int
        Incidents that people are told of from now on.
    closed : tuple of int
        Groups that were closed.
    messages : tuple of int
        That were late: a silence ended, or it was time for a reminder.
    """

    took_place: bool
    escalated: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()
    messages: tuple[int, ...] = ()


class Alerting:
    """Judges what time brings: thresholds, error rates, recoveries, ends of silences, reminders.

    Any number of processes may have one; one at a time evaluates. What an object remembers is since
    when something has been so, never what was told: that is in the tables.

    Parameters
    ----------
    catalog : Catalog
    settings : AlertSettings
    """

    def __init__(self, catalog: Catalog, settings: AlertSettings) -> None:
        self._catalog = catalog
        self._settings = settings
        self._errors = ErrorWatch(catalog, settings)
        self._advisor = Advisor(settings)
        self._switch = DeadMansSwitch(catalog)
        self._held: frozenset[int] = frozenset()
        self._faulty: set[str] = set()

    def evaluate(self, connection: Connection[Any], now: datetime) -> Evaluation:
        """Look at everything once, in the caller's transaction; to be called each second or two.

        Parameters
        ----------
        now : datetime
            Aware UTC.

        Notes
        -----
        While we are cut off nothing is known of any source: none fires, recovers or is closed.
        """
        if not alert_watch.take_evaluation_turn(connection):
            return Evaluation(False)
        alert_watch.note_evaluation(connection, now)
        mutes = mutes_at(connection, now)
        nothing: list[int] = []
        escalated = closed = nothing
        if not mutes.is_cut_off:
            escalated = self._part(
                connection,
                "escalations",
                lambda: tell_escalated(connection, self._catalog, self._settings, now),
                nothing,
            )
            closed = self._part(
                connection,
                "errors and ends",
                lambda: self._errors_and_ends(connection, now),
                nothing,
            )
            self._part(
                connection, "advice", lambda: self._advisor.advise(connection, mutes, now), None
            )
            self._part(connection, "watch", lambda: self._switch.look(connection, now), None)
        late = self._part(
            connection, "reminders", lambda: self._tell_late(connection, mutes, now), nothing
        )
        return Evaluation(True, tuple(escalated), tuple(closed), tuple(late))

    def _part(
        self, connection: Connection[Any], name: str, work: Callable[[], Result], none: Result
    ) -> Result:
        """Do one part of an evaluation: a fault of ours in it must not keep the others back."""
        try:
            with connection.transaction():
                done = work()
        except (OperationalError, InterfaceError):
            raise  # the tables are away, for all of them
        except Exception:
            if name not in self._faulty:
                _LOG.exception("Alerts: %s fail, and are tried again each time", name)
            self._faulty.add(name)
            return none
        self._faulty.discard(name)
        return done

    def _errors_and_ends(self, connection: Connection[Any], now: datetime) -> list[int]:
        """Tell of readers' errors, note what is well, close what stayed so; the closed groups."""
        rates = self._errors.rates(connection, now)
        burning = self._errors.burn_rates(connection, now)
        lasting = self._errors.lasting(rates, burning, now)
        self._tell_of_errors(connection, lasting, now)
        groups = alert_groups.firing_groups(connection)
        health = alert_watch.member_health(connection, [each.id for each in groups])
        held = _held_by_errors(groups, rates, burning)
        note_health(connection, groups, health, held, self._held, now)
        self._held = held
        if not groups:
            return []
        groups = alert_groups.firing_groups(connection)
        return close_well(connection, self._catalog, self._settings, groups, health, now)

    def _tell_of_errors(
        self,
        connection: Connection[Any],
        findings: Mapping[str, Finding],
        now: datetime,
    ) -> None:
        """Raise the group of a source with errors, or begin one whose cause nobody knows."""
        if not findings:
            return
        known = alert_groups.firing_groups(connection)
        for source, worst in sorted(findings.items()):
            if _is_told(_worst_of(source, known), worst):
                continue
            # A heal run may be giving it its cause at this moment.
            alert_groups.take_source_turn(connection, source)
            group = _worst_of(source, alert_groups.firing_groups(connection))
            if _is_told(group, worst):
                continue
            began_at = self._errors.began_at(source, now)
            endpoints = (
                group.endpoints
                if group is not None and group.endpoints
                else [each.id for each in self._catalog.endpoints_of(source)]
            )
            readers, errors = error_counts.readers_between(connection, endpoints, began_at, now)
            cause = None if group is None else group.root_cause
            what = None if group is None else group.detail.get("what")
            fire(
                connection,
                fingerprint=errors_fingerprint(source) if group is None else group.fingerprint,
                level=worst.level,
                title=errors_title(str(what or source), worst),
                body=errors_body(source, worst, None if what is None else str(what)),
                at=now,
                source=source,
                root_cause=cause,
                owners=self._owners(source) if group is None else group.owners,
                detail={
                    "what": f"{source}: readers went without an answer",
                    "action": action_for(None),
                    "began_at": began_at,
                    **({} if group is None else group.detail),
                    "readers": readers,
                    "readers_without_answer": errors,
                    "error_rate": worst.window.rate,
                    "requests": worst.window.requests,
                    "window_s": worst.window.lasts.total_seconds(),
                    "burns": worst.burns,
                },
            )

    def _owners(self, source: str) -> tuple[str, ...]:
        owners = {each.owner for each in self._catalog.endpoints_of(source)}
        return tuple(sorted(each for each in owners if each is not None))

    def _tell_late(self, connection: Connection[Any], mutes: Mutes, now: datetime) -> list[int]:
        """Save what is due by time alone: what a mute kept back, and reminders."""
        groups = {each.id: each for each in alert_groups.firing_groups(connection)}
        saved: dict[int, list[alerts.SavedAlert]] = {each: [] for each in groups}
        for message in alerts.alerts_of_groups(connection, list(groups)):
            assert message.group_id is not None, "it is of a group"
            saved[message.group_id].append(message)
        late = []
        for group_id, group in groups.items():
            messages = saved[group_id]
            decision = message_due(
                group.standing,
                said(messages),
                muted=muted_because(group.subject, mutes, now),
                settings=self._settings,
                now=now,
            )
            if decision.kind is None or not alert_watch.hold_group(connection, group_id):
                continue
            reminders = sum(each.kind is Kind.REMINDER for each in messages)
            message_id = save_message(connection, group, decision, now, number=reminders + 1)
            if message_id is not None:
                late.append(message_id)
        return late


def _is_told(group: AlertGroup | None, finding: Finding) -> bool:
    return group is not None and rank(group.level) >= rank(finding.level)


def _worst_of(source: str, groups: Sequence[AlertGroup]) -> AlertGroup | None:
    """The group that speaks of a source's errors: its worst one, the oldest of several."""
    own = [each for each in groups if each.source == source and is_of_source(each.fingerprint)]
    return min(own, key=lambda each: (-rank(each.level), each.id), default=None)


def _held_by_errors(
    groups: Sequence[AlertGroup], rates: Mapping[str, Finding], burning: Mapping[str, Finding]
) -> frozenset[int]:
    """Groups that are not well while their source's readers go without answers.

    A budget that burns holds only the group that it fired: others are over when what fired them is,
    and errors that were told of count no more.
    """
    held = set()
    for source in {*rates, *burning}:
        group = _worst_of(source, groups)
        if group is not None and (source in rates or group.detail.get("burns") is True):
            held.add(group.id)
    return frozenset(held)
