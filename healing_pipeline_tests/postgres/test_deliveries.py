"""The outbox over real tables: none lost, none twice, each channel by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from post_offices import mail_server
from storage_samples import NOON, at_once, later

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.settings import WEB, AlertSettings, ChannelSettings
from healing_pipeline.channels.message import Message, Outcome, Recipients
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.control.delivering import Sender, give_up_unknown, route
from healing_pipeline.errors import StorageError
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alerts import save_alert
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.deliveries import (
    deliveries,
    deliveries_of_alerts,
    recipients_of,
    try_failed_again,
)

SETTINGS = AlertSettings(
    channels=(
        ChannelSettings("mail", "MAIL", levels=frozenset(Severity)),
        ChannelSettings("sms", "SMS", levels=frozenset({Severity.CRITICAL})),
    )
)
SENT = Outcome(sent=True)
DOWN = Outcome(sent=False, error="it is away")


@dataclass
class Recorded:
    """A channel that notes what it is given, and answers as it is told to."""

    outcome: Outcome = SENT
    sent: list[Message] = field(default_factory=list)
    limit_s: float = 1.0
    recipients: tuple[str, ...] = ()
    given: list[Recipients] = field(default_factory=list)

    def send(self, message: Message, recipients: Recipients) -> Outcome:
        self.sent.append(message)
        self.given.append(recipients)
        for each in self.recipients:
            recipients.took(each)
        return self.outcome


def sender(database: Database, channel: Any, name: str = "mail", at: datetime = NOON) -> Sender:
    return Sender(name, channel, database, "http://healing.test", lambda: at, lambda: 0.5)


def group(connection: psycopg.Connection[Any], fingerprint: str = "yahoo:unreachable") -> int:
    query = """
        INSERT INTO alert_group (fingerprint, source, level, title, began_at)
        VALUES (%s, 'yahoo', 'error', 'yahoo is away', %s) RETURNING id"""
    (group_id,) = connection.execute(query, [fingerprint, NOON]).fetchone()
    return int(group_id)


def alert(connection: psycopg.Connection[Any], key: str, **changes: Any) -> int:
    values = {"at": NOON, "level": Severity.ERROR, "title": key, "body": "b", "source": "yahoo"}
    alert_id = save_alert(connection, dedupe_key=key, **{**values, **changes})
    assert alert_id is not None
    return alert_id


def saved(database: Database, *keys: str, **changes: Any) -> list[int]:
    """Messages of one group, saved and routed."""
    with database.connection() as connection:
        found = connection.execute("SELECT max(id) FROM alert_group").fetchone()[0]
        group_id = found or group(connection)
        ids = [alert(connection, key, group_id=group_id, **changes) for key in keys]
        route(connection, SETTINGS, NOON)
    return ids


def states(database: Database, *alert_ids: int, channel: str = "mail") -> list[str]:
    with database.connection() as connection:
        found = {
            each.alert_id: each.state
            for each in deliveries_of_alerts(connection, alert_ids)
            if each.channel == channel
        }
    return [found[each] for each in alert_ids]


def test_a_message_is_routed_once_however_many_route_at_once(database_url, database):
    with database.connection() as connection:
        first = alert(connection, "a", level=Severity.CRITICAL)
        second = alert(connection, "b", level=Severity.WARNING)
    at_once(database_url, lambda connection, _: route(connection, SETTINGS, NOON))
    with database.connection() as connection:
        assert route(connection, SETTINGS, NOON) == 0
        found = {
            (each.alert_id, each.channel): each.state
            for each in deliveries_of_alerts(connection, [first, second])
        }
    assert found == {
        (first, WEB): "sent",
        (first, "mail"): "pending",
        (first, "sms"): "pending",
        (second, WEB): "sent",
        (second, "mail"): "pending",
    }


def test_the_end_goes_where_the_beginning_went(database):
    (fired,) = saved(database, "fired", level=Severity.CRITICAL)
    assert sender(database, Recorded(), "sms").send_next()
    assert sender(database, Recorded(Outcome(False, permanent=True, error="no"))).send_next()
    (over,) = saved(database, "over", kind=Kind.RESOLVED, level=Severity.INFO)
    with database.connection() as connection:
        names = {each.channel for each in deliveries_of_alerts(connection, [over])}
    assert names == {WEB, "sms"}, "whom nothing reached is told of no end"
    assert states(database, fired, channel="sms") == ["sent"]


def test_what_is_sent_is_sent_once_and_its_time_noted(database):
    (alert_id,) = saved(database, "a")
    channel = Recorded()
    one = sender(database, channel, at=later(3))
    assert one.send_next()
    assert not one.send_next()
    assert [each.title for each in channel.sent] == ["a"]
    assert channel.sent[0].fingerprint == "yahoo:unreachable"
    with database.connection() as connection:
        found = {each.channel: each for each in deliveries_of_alerts(connection, [alert_id])}
    assert (found["mail"].state, found["mail"].sent_at, found["mail"].tries) == (
        "sent",
        later(3),
        1,
    )


def test_ten_senders_at_once_send_each_message_once(database_url, database):
    with database.connection() as connection:
        for number in range(30):
            alert(connection, f"alert {number}", group_id=group(connection, f"group {number % 15}"))
            connection.execute("UPDATE alert_group SET resolved_at = now(), recovered_at = now()")
        route(connection, SETTINGS, NOON)
    channel = Recorded()

    def work(_connection: object, _number: int) -> int:
        with Database(database_url, max_size=2, timeout_s=20) as own:
            one = sender(own, channel)
            return sum(iter(one.send_next, False))

    counts = at_once(database_url, work)
    assert sum(counts) == 30
    assert sorted(each.title for each in channel.sent) == sorted(f"alert {n}" for n in range(30))


def test_while_one_sender_has_a_message_in_hand_no_other_gets_it_or_a_later_one(database):
    saved(database, "fired")
    others: list[bool] = []

    @dataclass
    class Slow(Recorded):
        def send(self, message: Message, recipients: Recipients) -> Outcome:
            saved(database, "raised", kind=Kind.RAISED, level=Severity.CRITICAL)
            others.append(sender(database, Recorded()).send_next())
            return super().send(message, recipients)

    slow = Slow()
    assert sender(database, slow).send_next()
    assert others == [False]
    after = Recorded()
    assert sender(database, after).send_next()
    assert [each.title for each in (*slow.sent, *after.sent)] == ["fired", "raised"]


def test_a_channel_that_is_down_gets_one_message_when_it_is_up(database):
    fired, raised = saved(database, "fired", "raised")
    down = sender(database, Recorded(DOWN))
    assert down.send_next()
    assert not down.send_next(), "not at once"
    (over,) = saved(database, "over", kind=Kind.RESOLVED, level=Severity.INFO)
    up = Recorded()
    assert not sender(database, up, at=later(0.5)).send_next()
    assert sender(database, up, at=later(60)).send_next()
    (sent,) = up.sent
    assert (sent.title, sent.kind) == ("over", Kind.RESOLVED)
    assert sent.earlier == (
        "2026-03-02 12:00:00 UTC: fired, error: fired",
        "2026-03-02 12:00:00 UTC: fired, error: raised",
    )
    assert states(database, fired, raised, over) == ["merged", "merged", "sent"]


def test_tries_that_fail_are_further_and_further_apart_for_a_day(database):
    (alert_id,) = saved(database, "a")
    at = NOON
    for wait_s in (1.5, 3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, *[225.0] * 11):
        assert sender(database, Recorded(DOWN), at=at).send_next()
        assert not sender(database, Recorded(), at=at + timedelta(seconds=wait_s - 0.1)).send_next()
        at += timedelta(seconds=wait_s)
    assert sender(database, Recorded(DOWN), at=NOON + timedelta(hours=24)).send_next()
    with database.connection() as connection:
        (found,) = deliveries(connection, NOON)
    assert (found.alert_id, found.state, found.tries) == (alert_id, "failed", 20)
    assert found.error == "Given up after a day. it is away"


def test_a_permanent_failure_is_shown_first_and_stops_no_other(database):
    with database.connection() as connection:
        first = alert(connection, "first", level=Severity.CRITICAL)
        second = alert(connection, "second")
        route(connection, SETTINGS, NOON)
    refusing = Recorded(Outcome(sent=False, permanent=True, error="no such user"))
    assert sender(database, refusing).send_next()
    assert sender(database, Recorded()).send_next()
    assert states(database, first, second) == ["failed", "sent"]
    with database.connection() as connection:
        shown = deliveries(connection, NOON)
        assert (shown[0].alert_id, shown[0].error) == (first, "no such user")
        assert try_failed_again(connection, channel=None, now=NOON) == 1
    assert states(database, first) == ["pending"]


def test_the_most_urgent_comes_first(database):
    with database.connection() as connection:
        for level in (Severity.WARNING, Severity.CRITICAL, Severity.ERROR):
            alert(connection, level, level=level)
        route(connection, SETTINGS, NOON)
    channel = Recorded()
    assert sum(iter(sender(database, channel).send_next, False)) == 3
    assert [each.title for each in channel.sent] == ["critical", "error", "warning"]


def test_recipients_are_known_to_the_next_try_and_not_by_name(database):
    (alert_id,) = saved(database, "a")
    half = Recorded(DOWN, recipients=("ann@healing.test",))
    assert sender(database, half).send_next()
    rest = Recorded()
    assert sender(database, rest, at=later(60)).send_next()
    assert rest.given[0].has("ann@healing.test")
    assert not rest.given[0].has("bob@healing.test")
    with database.connection() as connection:
        assert "ann" not in str(recipients_of(connection, alert_id=alert_id, channel="mail"))


def test_what_was_sent_while_postgresql_went_away_is_noted_later_and_not_sent_again(database):
    (alert_id,) = saved(database, "a")

    @dataclass
    class Cut(Recorded):
        def send(self, message: Message, recipients: Recipients) -> Outcome:
            with database.connection() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND state = 'idle in transaction' "
                    "AND pid <> pg_backend_pid()"
                )
            return super().send(message, recipients)

    channel = Cut()
    one = sender(database, channel)
    with pytest.raises((psycopg.Error, StorageError)):
        one.send_next()
    assert states(database, alert_id) == ["pending"]
    assert one.send_next()
    assert states(database, alert_id) == ["sent"]
    assert len(channel.sent) == 1
    assert not one.unsaved


KILLED = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.control.delivering import Sender
from healing_pipeline.storage.database import Database

class Stuck:
    limit_s = 60.0
    def send(self, message, recipients):
        print(message.title, flush=True)
        time.sleep(60)

with Database(sys.argv[1], max_size=2) as database:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    Sender("mail", Stuck(), database, "http://healing.test", lambda: now, lambda: 0.5).send_next()
"""


def test_a_sender_that_is_killed_while_it_sends_gives_the_message_back_at_once(
    database_url, database
):
    (alert_id,) = saved(database, "a")
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "a\n"
        assert not sender(database, Recorded()).send_next(), "it is in hand"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    channel = Recorded()
    until = time.monotonic() + 5
    while not sender(database, channel).send_next():
        assert time.monotonic() < until
    assert [each.title for each in channel.sent] == ["a"]
    assert states(database, alert_id) == ["sent"]


MAILING = """
import sys
from datetime import UTC, datetime
from healing_pipeline.alerting.settings import ChannelSettings
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.control.delivering import Sender
from healing_pipeline.storage.database import Database

with Database(sys.argv[1], max_size=2) as database:
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    channel = open_channel(ChannelSettings("mail", "MAIL"), {"MAIL": sys.argv[2]})
    print("ready", flush=True)
    sys.stdin.readline()
    Sender("mail", channel, database, "http://healing.test", lambda: now, lambda: 0.5).send_next()
"""


def test_a_sender_killed_after_the_server_took_the_letter_sends_what_is_known_as_the_same_letter(
    database_url, database
):
    (alert_id,) = saved(database, "a")
    with mail_server() as server:
        url = (
            f"mailto://a@healing.test:{server.port}?smtp=127.0.0.1&mode=insecure&to=b@healing.test"
        )
        with subprocess.Popen(
            [sys.executable, "-c", MAILING, database_url, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            # It has the letter, and is about to say so.
            server.taken = lambda: process.kill()
            process.communicate("go\n")
        server.taken = lambda: None
        assert states(database, alert_id) == ["pending"]
        channel = open_channel(ChannelSettings("mail", "MAIL"), {"MAIL": url})
        until = time.monotonic() + 5
        while not sender(database, channel).send_next():
            assert time.monotonic() < until
        first, second = (each.parsed["Message-ID"] for each in server.letters)
    assert first == second
    assert states(database, alert_id) == ["sent"]


def test_what_may_have_been_taken_waits_longer_for_its_next_try(database):
    (alert_id,) = saved(database, "a")
    unanswered = Outcome(sent=False, error="no answer", unanswered=True)
    assert sender(database, Recorded(unanswered)).send_next()
    with database.connection() as connection:
        (found,) = deliveries(connection, NOON)
    assert (found.alert_id, found.next_at) == (alert_id, later(12))


def test_what_waits_for_a_channel_that_is_no_more_is_given_up_after_a_day(database):
    (alert_id,) = saved(database, "a")
    with database.connection() as connection:
        gone = AlertSettings()
        assert give_up_unknown(connection, gone, NOON + timedelta(hours=23)) == 0
        assert give_up_unknown(connection, SETTINGS, NOON + timedelta(days=3)) == 0
        assert give_up_unknown(connection, gone, NOON + timedelta(hours=25)) == 1
    assert states(database, alert_id) == ["failed"]


def test_a_test_is_not_tried_again(database):
    with database.connection() as connection:
        alert_id = alert(connection, "t", kind=Kind.TEST, level=Severity.INFO)
        route(connection, SETTINGS, NOON)
    assert sender(database, Recorded(DOWN)).send_next(only=alert_id)
    assert states(database, alert_id) == ["failed"]
