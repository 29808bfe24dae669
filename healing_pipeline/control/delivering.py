"""The outbox's work: messages get their channels, and each channel what waits for it.

A delivery is in hand as long as the transaction that claimed it; a sender that dies gives it back.
What is guaranteed stands in docs/reference/alert_channels.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection

from healing_pipeline.alerting.backoff import GIVEN_UP_AFTER, is_given_up, wait_s
from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.routing import channels_for
from healing_pipeline.alerting.settings import WEB, AlertSettings
from healing_pipeline.channels.message import Channel, Message, Outcome
from healing_pipeline.channels.texts import moment
from healing_pipeline.errors import StorageError
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.deliveries import (
    Claim,
    Letter,
    add_delivery,
    add_sent_delivery,
    channels_told,
    claim_delivery,
    fail_unknown,
    mark_failed,
    mark_sent,
    note_recipient,
    put_off,
    recipients_of,
    unrouted_alerts,
)


def route(connection: Connection[Any], settings: AlertSettings, now: datetime) -> int:
    """Give every message that has none its channels; how many messages that were.

    Safe to call by many at once. The dashboard has each message as it is saved.
    """
    found = unrouted_alerts(connection)
    for each in found:
        told = frozenset() if each.group_id is None else channels_told(connection, each.group_id)
        names = channels_for(
            settings,
            kind=Kind(each.kind),
            level=each.level,
            source=each.source,
            owners=each.owners,
            told=told,
        )
        for name in names:
            add_delivery(connection, alert_id=each.id, channel=name, at=now)
        add_sent_delivery(connection, alert_id=each.id, channel=WEB, at=each.at)
    return len(found)


class Tried(NamedTuple):
    """A try that has ended: of which messages, when, and how."""

    alert_ids: tuple[int, ...]
    at: datetime
    outcome: Outcome


def give_up_unknown(connection: Connection[Any], settings: AlertSettings, now: datetime) -> int:
    """Give up what has waited for a day for channels that the configuration no longer has."""
    return fail_unknown(
        connection,
        [each.name for each in settings.channels],
        before=now - GIVEN_UP_AFTER,
        error="For a day no configuration had a channel of this name.",
    )


@dataclass(slots=True)
class Sender:
    """Sends what waits for one channel; one thread at a time uses it.

    Attributes
    ----------
    unsaved : dict of int to Tried
        What was sent and could not be noted, because PostgreSQL was away; by the message that was
        claimed. It is not sent again while this process lives.
    """

    name: str
    channel: Channel
    database: Database
    url: str
    now: Callable[[], datetime]
    chance: Callable[[], float]
    unsaved: dict[int, Tried] = field(default_factory=dict)

    def send_next(self, only: int | None = None) -> bool:
        """Send the most urgent message that is due, or `only` that one; False when there is none.

        Raises
        ------
        StorageError, psycopg.Error
            If PostgreSQL is away; what was sent is remembered.
        """
        with self.database.connection() as connection:
            claim = claim_delivery(connection, channel=self.name, now=self.now(), only=only)
            if claim is None:
                return False
            tried = self.unsaved.get(claim.alert_id) or self._try(connection, claim)
            if tried.outcome.sent:
                self.unsaved[claim.alert_id] = tried
            self._note(connection, claim, tried)
        self.unsaved.pop(claim.alert_id, None)
        return True

    def _try(self, connection: Connection[Any], claim: Claim) -> Tried:
        message = message_of(claim, self.url)
        have = recipients_of(connection, alert_id=message.alert_id, channel=self.name)
        noted = _Noted(self.database, message.alert_id, self.name, set(have))
        outcome = self.channel.send(message, noted)
        return Tried(claim.alert_ids, self.now(), outcome)

    def _note(self, connection: Connection[Any], claim: Claim, tried: Tried) -> None:
        ids, at, outcome = tried
        is_test = claim.newest.kind == Kind.TEST
        if outcome.sent:
            mark_sent(connection, ids, channel=self.name, at=at, note=outcome.error or None)
        elif outcome.permanent or is_test:
            # Whoever asked for a test waits for its answer now.
            mark_failed(connection, ids, channel=self.name, error=outcome.error)
        elif is_given_up(claim.at, at, claim.tries + 1):
            error = f"Given up after a day. {outcome.error}"
            mark_failed(connection, [claim.alert_id], channel=self.name, error=error)
        else:
            wait = wait_s(claim.tries + 1, self.chance(), unanswered=outcome.unanswered)
            put_off(
                connection,
                alert_id=claim.alert_id,
                channel=self.name,
                next_at=at + timedelta(seconds=wait),
                error=outcome.error,
            )


def message_of(claim: Claim, url: str) -> Message:
    """What is sent for a claim: the newest message, which names the earlier ones.

    Messages of one group that waited while a channel was down are sent as one. People need to know
    how things are, not to read through hours of it; the closing message says what broke and when.
    """
    newest = claim.newest
    return Message(
        alert_id=newest.alert_id,
        at=newest.at,
        group_id=newest.group_id,
        kind=Kind(newest.kind),
        level=newest.level,
        title=newest.title,
        body=newest.body,
        url=url,
        source=newest.source,
        owners=newest.owners,
        detail=newest.detail,
        fingerprint=newest.fingerprint,
        began_at=newest.began_at,
        earlier=tuple(_heading(each) for each in claim.waiting[:-1]),
    )


def _heading(letter: Letter) -> str:
    return f"{moment(letter.at)}: {letter.kind}, {letter.level}: {letter.title}"


@dataclass(slots=True)
class _Noted:
    """Recipients that have a message, noted as soon as each is known, by its digest."""

    database: Database
    alert_id: int
    channel: str
    have: set[str]

    def has(self, recipient: str) -> bool:
        return _digest(recipient) in self.have

    def took(self, recipient: str) -> None:
        digest = _digest(recipient)
        self.have.add(digest)
        try:
            # Of its own, and at once: the claim's transaction may not live to commit it.
            with self.database.connection() as connection:
                note_recipient(
                    connection, alert_id=self.alert_id, channel=self.channel, recipient=digest
                )
        except (StorageError, psycopg.Error):
            # The next recipient must not go without for that.
            return


def _digest(recipient: str) -> str:
    return sha256(recipient.encode("utf-8", "replace")).hexdigest()[:32]


def senders_of(
    channels: Mapping[str, Channel],
    database: Database,
    settings: AlertSettings,
    *,
    now: Callable[[], datetime],
    chance: Callable[[], float],
) -> tuple[Sender, ...]:
    """A sender for each channel."""
    return tuple(
        Sender(name, channel, database, settings.url, now, chance)
        for name, channel in channels.items()
    )
