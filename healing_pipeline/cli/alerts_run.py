"""`healing alerts run`, `test` and `deliveries`: what sends, whether it does, what became of it."""

from __future__ import annotations

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from healing_pipeline.alerting.messages import Kind
from healing_pipeline.alerting.settings import WEB, AlertSettings, ChannelSettings
from healing_pipeline.catalog.problems import did_you_mean
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.channels.opening import open_channel
from healing_pipeline.cli.console import out, print_json
from healing_pipeline.control.alerts_process import LOOK_EVERY_S, AlertsProcess
from healing_pipeline.control.delivering import Sender, senders_of
from healing_pipeline.control.diagnosing import Diagnosing
from healing_pipeline.errors import ConfigurationError, DatabaseAwayError
from healing_pipeline.healing.parts import Clock
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.installation import load_catalog, state_dir, system_clock
from healing_pipeline.storage import deliveries as outbox
from healing_pipeline.storage.alerts import save_alert
from healing_pipeline.storage.database import URL_VARIABLE, Database, resolve_database
from healing_pipeline.storage.deliveries import SavedDelivery
from healing_pipeline.storage.health_quarters import fold_quarters
from healing_pipeline.storage.migration import bring_up_to_date

# A connection for what each channel has in hand and one for the recipients it notes; one for each
# of the other parts.
EACH_CHANNEL, OTHER_PARTS = 2, 6
SHOWN_FOR = timedelta(days=7)
MOST_SHOWN = 200
# Another process may have the test in hand; it is given as long as a try of ours, and this.
GRACE_S = 5.0
COLOURS = {"sent": "green", "failed": "bold red", "pending": "yellow", "merged": "dim"}


def run(config: Path) -> int:
    """Evaluate and deliver until Ctrl-C or SIGTERM; 0 then.

    Whoever starts it with the machine need not see to it that PostgreSQL is there first.
    """
    # Whoever tries a channel needs no rules.
    from healing_pipeline.control.alerting import Alerting

    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if not _awaited_database(config, stopped):
        return 0
    with _outbox(config) as (catalog, database, clock):
        settings = catalog.alerts
        senders = _senders(settings.channels, settings, database, clock)
        alerting = Alerting(catalog, settings)
        names = ", ".join(each.name for each in settings.channels) or "none but the dashboard"
        _tell(clock.now(), f"Alerts are looked after. Channels: {names}. Ctrl-C stops it.")
        for each in senders:
            error = getattr(each.channel, "error", None)
            if error is not None:
                _tell(clock.now(), f"{each.name}: {error}")
        AlertsProcess(
            database,
            settings,
            senders,
            diagnose=Diagnosing(catalog).look,
            evaluate=alerting.evaluate,
            fold=fold_quarters,
            now=clock.now,
            tell=lambda line: _tell(clock.now(), line),
        ).run(stopped)
        _tell(clock.now(), "Stopped.")
    return 0


def try_channels(config: Path, only: str | None, *, as_json: bool) -> int:
    """Send a test message to each channel, or to one; 1 when one of them does not take it."""
    with _outbox(config) as (catalog, database, clock):
        settings = catalog.alerts
        chosen = _chosen(settings, only)
        senders = _senders(chosen, settings, database, clock)
        alert_id = _save_test(database, [each.name for each in chosen], clock.now())
        began = time.monotonic()
        threads = [
            threading.Thread(target=_send_test, args=(each, alert_id), daemon=True)
            for each in senders
        ]
        for each in threads:
            each.start()
        until = began + max((each.channel.limit_s for each in senders), default=0.0) + GRACE_S
        for each in threads:
            each.join(max(0.0, until - time.monotonic()))
        with database.connection() as connection:
            found = outbox.deliveries_of_alerts(connection, [alert_id])
    bad = sum(each.state != "sent" for each in found)
    if as_json:
        print_json([_document(each) for each in found])
        return 1 if bad else 0
    out.print(_table("A test message", found))
    if not settings.channels:
        out.print(
            "The dashboard is the only channel. docs/reference/alert_channels.md says how to add "
            "e-mail, text messages and others.",
            soft_wrap=True,
        )
    return 1 if bad else 0


def deliveries(config: Path, *, retry: bool, as_json: bool) -> int:
    """List what became of messages: what failed first, then what waits, then the newest."""
    with _outbox(config) as (_, database, clock), database.connection() as connection:
        again = outbox.try_failed_again(connection, channel=None, now=clock.now()) if retry else 0
        found = outbox.deliveries(connection, clock.now() - SHOWN_FOR, MOST_SHOWN)
    if as_json:
        print_json([_document(each) for each in found])
        return 0
    if retry:
        out.print(f"{again} that failed are tried again, by `healing up` or `healing alerts run`.")
    out.print(_table(f"Deliveries of the last {SHOWN_FOR.days} days", found))
    return 0


def _awaited_database(config: Path, stopped: threading.Event) -> bool:
    """Wait until the database answers, and say so once; False when it was to stop before that."""
    load_catalog(config, os.environ)  # a mistake in it is told at once
    if not os.environ.get(URL_VARIABLE, "").strip():
        return True  # the embedded one is started, whoever needs it
    said = False
    while not stopped.is_set():
        try:
            resolve_database(os.environ, state_dir(os.environ)).close()
        except DatabaseAwayError as error:
            if not said:
                _tell(system_clock().now(), f"Waiting for PostgreSQL: nobody is told yet. {error}")
            said = True
            stopped.wait(LOOK_EVERY_S)
        else:
            if said:
                _tell(system_clock().now(), "PostgreSQL is there.")
            return True
    return False


@contextmanager
def _outbox(config: Path) -> Iterator[tuple[Catalog, Database, Clock]]:
    catalog = load_catalog(config, os.environ)
    address = resolve_database(os.environ, state_dir(os.environ))
    most = EACH_CHANNEL * len(catalog.alerts.channels) + OTHER_PARTS
    try:
        with Database(address.url, max_size=most) as database:
            bring_up_to_date(database, address.owner_url)
            yield catalog, database, system_clock()
    finally:
        address.close()


def _senders(
    channels: Sequence[ChannelSettings], settings: AlertSettings, database: Database, clock: Clock
) -> tuple[Sender, ...]:
    opened = {each.name: open_channel(each, os.environ) for each in channels}
    chance = random.Random().random  # noqa: S311 (spreads tries, no secret)  # nosec B311
    return senders_of(opened, database, settings, now=clock.now, chance=chance)


def _chosen(settings: AlertSettings, only: str | None) -> tuple[ChannelSettings, ...]:
    if only is None:
        return settings.channels
    names = [each.name for each in settings.channels]
    if only not in names:
        listed = f"Channels are {', '.join(names)}." if names else "There is none yet."
        raise ConfigurationError(
            f"'{only}' is no channel of the configuration.", f"{did_you_mean(only, names)}{listed}"
        )
    return tuple(each for each in settings.channels if each.name == only)


def _save_test(database: Database, channels: Sequence[str], at: datetime) -> int:
    with database.connection() as connection:
        alert_id = save_alert(
            connection,
            at=at,
            level=Severity.INFO,
            title="This is a test, nothing is wrong",
            body=f"Sent by `healing alerts test` on {socket.gethostname()}. "
            "An alert would come to you like this.",
            dedupe_key=f"test:{uuid4()}",
            kind=Kind.TEST,
            detail={"action": "Nothing. If you did not expect this, ask who tries the channels."},
        )
        assert alert_id is not None, "its key is new"
        for name in channels:
            outbox.add_delivery(connection, alert_id=alert_id, channel=name, at=at)
        outbox.add_sent_delivery(connection, alert_id=alert_id, channel=WEB, at=at)
    return alert_id


def _send_test(sender: Sender, alert_id: int) -> None:
    until = time.monotonic() + sender.channel.limit_s + GRACE_S
    while time.monotonic() < until:
        if sender.send_next(only=alert_id):
            return
        with sender.database.connection() as connection:
            found = outbox.deliveries_of_alerts(connection, [alert_id])
        # Whoever else delivers may have been quicker, or has it in hand.
        if all(each.state != "pending" for each in found if each.channel == sender.name):
            return
        time.sleep(0.2)


def _document(each: SavedDelivery) -> dict[str, Any]:
    return asdict(each)


def _table(title: str, found: Sequence[SavedDelivery]) -> Table:
    table = Table(title=title, box=SIMPLE, pad_edge=False)
    for column in ("message", "saved (UTC)", "level", "what", "channel", "state", "tries", "why"):
        table.add_column(column, overflow="fold")
    for each in found:
        why = each.error or ""
        if each.state == "pending" and each.tries:
            why = f"next try {each.next_at:%H:%M:%S}. {why}"
        table.add_row(
            str(each.alert_id),
            f"{each.at:%Y-%m-%d %H:%M:%S}",
            each.level,
            Text(f"{each.kind}: {each.title}"),
            each.channel,
            Text(each.state, COLOURS.get(each.state, "")),
            str(each.tries),
            Text(why),
        )
    return table


def _tell(at: datetime, line: str) -> None:
    out.print(f"{at:%Y-%m-%d %H:%M:%S}  {line}", markup=False, soft_wrap=True)
