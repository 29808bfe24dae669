"""The process that evaluates and delivers, with real servers to send to, away and back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from post_offices import free_port, http_server, mail_server

from healing_pipeline.alerting.settings import AlertSettings, ChannelSettings
from healing_pipeline.channels.message import Channel, Message, Outcome, Recipients
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.control import alerts_process
from healing_pipeline.control.alerts_process import AlertsProcess
from healing_pipeline.control.delivering import senders_of
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage.alerts import save_alert
from healing_pipeline.storage.database import Database
from healing_pipeline.storage.deliveries import deliveries_of_alerts

TWILIO = "twilio://AC0123456789abcdef:0123456789abcdef@15551230000/15551230001"


@dataclass
class Running:
    """A process of alerts in a thread."""

    database: Database
    evaluated: list[datetime] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def save(self, key: str) -> int:
        with self.database.connection() as connection:
            alert_id = save_alert(
                connection,
                at=datetime.now(UTC),
                level=Severity.CRITICAL,
                title=key,
                body="nothing helped",
                dedupe_key=key,
                detail={"path": "/health-dashboard/incidents/1"},
            )
        assert alert_id is not None
        return alert_id

    def states(self, alert_id: int) -> dict[str, str]:
        with self.database.connection() as connection:
            found = deliveries_of_alerts(connection, [alert_id])
        return {each.channel: each.state for each in found}

    def tries(self, alert_id: int) -> list[int]:
        """Of the channels besides the dashboard."""
        with self.database.connection() as connection:
            found = deliveries_of_alerts(connection, [alert_id])
        return [each.tries for each in found if each.channel != "web"]

    def until(self, ready: Callable[[], bool], within_s: float = 15.0) -> None:
        limit = time.monotonic() + within_s
        while not ready():
            assert time.monotonic() < limit, self.told
            time.sleep(0.02)


@contextmanager
def running(
    database: Database, channels: dict[str, Channel], evaluate: Callable[[], None] = lambda: None
) -> Iterator[Running]:
    settings = AlertSettings(
        channels=tuple(ChannelSettings(name, name.upper()) for name in channels)
    )
    one = Running(database)

    def look(_connection: Any, at: datetime) -> None:
        one.evaluated.append(at)
        evaluate()

    process = AlertsProcess(
        database,
        settings,
        senders_of(channels, database, settings, now=lambda: datetime.now(UTC), chance=lambda: 0.0),
        diagnose=lambda _connection, _at: None,
        evaluate=look,
        fold=lambda _connection, _at: None,
        now=lambda: datetime.now(UTC),
        tell=one.told.append,
    )
    stopped = threading.Event()
    thread = threading.Thread(target=process.run, args=(stopped,))
    thread.start()
    try:
        yield one
    finally:
        stopped.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def twilio(monkeypatch) -> int:
    """The port at which Twilio's API is looked for."""
    from apprise.plugins.twilio import NotifyTwilio

    port = free_port()
    monkeypatch.setattr(
        NotifyTwilio, "notify_sms_url", f"http://127.0.0.1:{port}/{{sid}}/Messages.json"
    )
    return port


def test_mail_and_text_message_are_delivered_once_when_both_servers_were_down(database, twilio):
    post = free_port()
    environ = {
        "MAIL": f"mailto://alerts@healing.test:{post}?smtp=127.0.0.1&mode=insecure&to=a@healing.test",
        "SMS": TWILIO,
    }
    channels = {
        name.lower(): open_channel(ChannelSettings(name.lower(), name), environ) for name in environ
    }
    with running(database, channels) as process:
        alert_id = process.save("yahoo is away")
        process.until(lambda: min(process.tries(alert_id), default=0) > 0)
        assert process.states(alert_id) == {"web": "sent", "mail": "pending", "sms": "pending"}
        with mail_server(post) as mail, http_server(twilio) as phones:
            process.until(lambda: set(process.states(alert_id).values()) == {"sent"})
            time.sleep(0.3)
            assert [each.parsed["Subject"] for each in mail.letters] == ["[CRITICAL] yahoo is away"]
            assert len(phones.requests) == 1
            assert phones.requests[0].form["Body"].startswith("CRITICAL: yahoo is away ")
        assert min(process.tries(alert_id)) >= 2


@dataclass
class Held:
    """A channel that does not come to an end until it is let go."""

    go: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    limit_s: float = 1.0

    def send(self, message: Message, recipients: Recipients) -> Outcome:
        self.go.wait(20)
        self.sent += 1
        return Outcome(sent=True)


def test_a_slow_channel_holds_up_neither_the_others_nor_the_rules_and_ends_what_it_began(database):
    slow, quick = Held(), Held()
    quick.go.set()
    with running(database, {"slow": slow, "quick": quick}) as process:
        alert_id = process.save("a")
        process.until(lambda: process.states(alert_id).get("quick") == "sent")
        another = process.save("b")
        process.until(lambda: process.states(another).get("quick") == "sent")
        assert process.states(alert_id)["slow"] == "pending"
        looks = len(process.evaluated)
        process.until(lambda: len(process.evaluated) > looks)
        threading.Timer(0.2, slow.go.set).start()
    assert process.states(alert_id)["slow"] == "sent", "it was let end what it had in hand"
    assert slow.sent == 1, "and began nothing new"


def test_it_goes_on_when_postgresql_was_away_and_when_the_rules_have_a_fault(database, monkeypatch):
    monkeypatch.setattr(alerts_process, "REST_S", 0.1)
    monkeypatch.setattr(alerts_process, "EVALUATE_EVERY_S", 0.1)
    faults = iter(["one"])

    def fault() -> None:
        for each in faults:
            raise ValueError(each)

    channel = Held()
    channel.go.set()
    with running(database, {"mail": channel}, fault) as process:
        process.until(lambda: len(process.evaluated) > 1)
        assert process.told == ["evaluate: ValueError: one"]
        with database.connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        process.until(lambda: "PostgreSQL is back." in process.told)
        alert_id = process.save("a")
        process.until(lambda: process.states(alert_id).get("mail") == "sent")
    assert sum("is away" in each for each in process.told) == 1
