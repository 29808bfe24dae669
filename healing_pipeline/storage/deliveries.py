"""Deliveries as rows: which message goes through which channel, claimed by one sender at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import storable

_SQL = load_statements("deliveries")

# More messages than are ever being saved at one moment.
LOOK_BACK = 1000


@dataclass(frozen=True, slots=True)
class Unrouted:
    """A message that no channel has yet, as far as routing it asks."""

    id: int
    at: datetime
    group_id: int | None
    kind: str
    level: Severity
    source: str | None
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """What one message says, and of what group; `fingerprint` and `began_at` are the group's."""

    alert_id: int
    at: datetime
    group_id: int | None
    kind: str
    level: Severity
    title: str
    body: str
    source: str | None
    owners: tuple[str, ...]
    detail: Mapping[str, Any]
    fingerprint: str | None
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a sender has in hand until its transaction ends.

    Attributes
    ----------
    alert_id : int
        The oldest message of its group that waits; it keeps count of the tries.
    tries : int
        Tries before this one.
    at : datetime
        When that message was saved.
    waiting : tuple of Letter
        All messages of the group that wait for this channel, the oldest first; never empty.
    """

    alert_id: int
    tries: int
    at: datetime
    waiting: tuple[Letter, ...]

    @property
    def newest(self) -> Letter:
        """The message that says how things are now."""
        return self.waiting[-1]

    @property
    def alert_ids(self) -> tuple[int, ...]:
        """Of every message that waits."""
        return tuple(each.alert_id for each in self.waiting)


@dataclass(frozen=True, slots=True)
class SavedDelivery:
    """What became of one message on one channel.

    Attributes
    ----------
    state : str
        ``pending``, ``sent``, ``failed`` or ``merged`` (told within a later message).
    next_at : datetime
        When a pending one is tried next.
    error : str or None
        Of the last try that failed; of a merged one, where it was told.
    """

    alert_id: int
    channel: str
    state: str
    tries: int
    next_at: datetime
    sent_at: datetime | None
    error: str | None
    group_id: int | None
    kind: str
    level: Severity
    title: str
    at: datetime


def unrouted_alerts(connection: Connection[Any]) -> list[Unrouted]:
    """Messages that no channel has yet, the oldest first."""
    return [
        Unrouted(**_typed(row)) for row in _SQL.unrouted_alerts(connection, look_back=LOOK_BACK)
    ]


def channels_told(connection: Connection[Any], group_id: int) -> frozenset[str]:
    """Channels, besides the dashboard, whose people know of a group or soon will."""
    return frozenset(row["channel"] for row in _SQL.channels_told(connection, group_id=group_id))


def add_delivery(connection: Connection[Any], *, alert_id: int, channel: str, at: datetime) -> None:
    """Let a message wait for a channel; nothing happens when it does already."""
    _SQL.add_delivery(connection, alert_id=alert_id, channel=channel, at=at)


def add_sent_delivery(
    connection: Connection[Any], *, alert_id: int, channel: str, at: datetime
) -> None:
    """Note that a channel has a message, being where messages are saved: the dashboard."""
    _SQL.add_sent_delivery(connection, alert_id=alert_id, channel=channel, at=at)


def claim_delivery(
    connection: Connection[Any], *, channel: str, now: datetime, only: int | None = None
) -> Claim | None:
    """Take the most urgent message that is due in hand; None when there is none for us.

    It is in hand until the connection's transaction ends, however that comes about.

    Parameters
    ----------
    only : int, optional
        No message but this one.
    """
    _SQL.keep_claim(connection)
    row = _SQL.claim_delivery(connection, channel=channel, now=now, only=only)
    if row is None:
        return None
    ids = [row["alert_id"]]
    if row["group_id"] is not None:
        rows = _SQL.waiting_of_group(connection, channel=channel, group_id=row["group_id"])
        ids = [each["alert_id"] for each in rows]
    return Claim(
        alert_id=row["alert_id"],
        tries=row["tries"],
        at=row["at"],
        waiting=tuple(letters(connection, ids)),
    )


def letters(connection: Connection[Any], alert_ids: Sequence[int]) -> list[Letter]:
    """What messages say, the oldest first."""
    rows = _SQL.letters(connection, alert_ids=list(alert_ids))
    return [Letter(**_typed(row)) for row in rows]


def mark_sent(
    connection: Connection[Any],
    alert_ids: Sequence[int],
    *,
    channel: str,
    at: datetime,
    note: str | None,
) -> None:
    """The last of the messages was sent, and told of the earlier ones with it.

    Parameters
    ----------
    note : str or None
        What did not go well although it was sent.
    """
    *earlier, newest = alert_ids
    if earlier:
        _SQL.mark_merged(
            connection, alert_ids=earlier, channel=channel, note=f"told in message {newest}"
        )
    error = None if note is None else storable(note)
    _SQL.mark_sent(connection, alert_id=newest, channel=channel, at=at, error=error)


def mark_failed(
    connection: Connection[Any], alert_ids: Sequence[int], *, channel: str, error: str
) -> None:
    """Messages will not be tried again."""
    _SQL.mark_failed(connection, alert_ids=list(alert_ids), channel=channel, error=storable(error))


def put_off(
    connection: Connection[Any], *, alert_id: int, channel: str, next_at: datetime, error: str
) -> None:
    """Let a message wait until `next_at`."""
    _SQL.put_off(
        connection, alert_id=alert_id, channel=channel, next_at=next_at, error=storable(error)
    )


def fail_unknown(
    connection: Connection[Any], channels: Sequence[str], *, before: datetime, error: str
) -> int:
    """Give up what has waited since `before` for a channel that is none of `channels`."""
    return int(
        _SQL.fail_unknown(connection, channels=list(channels), before=before, error=storable(error))
    )


def recipients_of(connection: Connection[Any], *, alert_id: int, channel: str) -> frozenset[str]:
    """Digests of the recipients that have a message already."""
    rows = _SQL.recipients(connection, alert_id=alert_id, channel=channel)
    return frozenset(row["recipient"] for row in rows)


def note_recipient(
    connection: Connection[Any], *, alert_id: int, channel: str, recipient: str
) -> None:
    """Note that one recipient has a message; `recipient` is a digest."""
    _SQL.note_recipient(connection, alert_id=alert_id, channel=channel, recipient=recipient)


def try_failed_again(connection: Connection[Any], *, channel: str | None, now: datetime) -> int:
    """Let what failed wait for its channel once more; how many messages that are."""
    return int(_SQL.try_failed_again(connection, channel=channel, now=now))


def deliveries(
    connection: Connection[Any], since: datetime, limit: int = 100
) -> list[SavedDelivery]:
    """Deliveries besides the dashboard's: what failed first, then the newest."""
    return _saved(_SQL.deliveries(connection, since=since, limit=limit))


def deliveries_of_alerts(
    connection: Connection[Any], alert_ids: Sequence[int]
) -> list[SavedDelivery]:
    """Every delivery of messages, the newest message first."""
    return _saved(_SQL.deliveries_of_alerts(connection, alert_ids=list(alert_ids)))


def _saved(rows: Iterable[dict[str, Any]]) -> list[SavedDelivery]:
    return [SavedDelivery(**{**row, "level": Severity(row["level"])}) for row in rows]


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "level": Severity(row["level"]), "owners": tuple(row["owners"])}
