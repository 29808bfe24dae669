"""The process that asks a model one question, tells whoever waits, and puts it on record.

It is given its work by standard input, so that no key stands in its arguments or environment, and
it ends by itself: whoever started it may be gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from healing_pipeline.second_opinion.asking import ask
from healing_pipeline.second_opinion.question import Question
from healing_pipeline.second_opinion.reply import Reply
from healing_pipeline.second_opinion.settings import (
    Ask,
    Prices,
    SecondOpinionSettings,
    Service,
)

# For putting it on record, after the time for asking is over.
GRACE_S = 5.0


def run() -> None:
    """Do the work on standard input, and end the process."""
    try:
        _work()
    finally:
        # Threads of a resolver or an SDK would hold the process back.
        os._exit(0)


def _work() -> None:
    work = json.load(sys.stdin.buffer)
    # Whatever a library prints is no answer.
    told = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    left_s = work["until"] - time.monotonic()
    end = threading.Timer(max(0.0, left_s) + GRACE_S, os._exit, [1])
    end.daemon = True
    end.start()
    question = Question(work["system"], work["user"], tuple(work["choices"]))
    reply = _asked(settings_of(work["settings"]), work["api_key"], question, left_s)
    line = {
        "outcome": str(reply.outcome),
        "advice": None if reply.advice is None else reply.advice.written(),
        "reason": reply.reason,
    }
    # Nobody waits any more where the pipe is closed.
    with suppress(OSError):
        os.write(told, json.dumps(line).encode() + b"\n")
    now = datetime.fromtimestamp(work["at"] + time.monotonic() - work["began"], tz=UTC)
    _record(work["database_url"], work["call_id"], reply, now)


def settings_of(written: Mapping[str, Any]) -> SecondOpinionSettings:
    """Settings as they come out of JSON."""
    return SecondOpinionSettings(
        **{
            **written,
            "service": Service(written["service"]),
            "ask": Ask(written["ask"]),
            "prices": Prices(**written["prices"]),
        }
    )


def _asked(
    settings: SecondOpinionSettings, api_key: str, question: Question, left_s: float
) -> Reply:
    # Not `asyncio.run`: it would wait for a name that does not resolve, long after the time is up.
    loop = asyncio.new_event_loop()
    return loop.run_until_complete(ask(settings, api_key, question, left_s, time.monotonic))


def _record(database_url: str, call_id: int, reply: Reply, now: datetime) -> None:
    import psycopg

    from healing_pipeline.storage.database import connection_info
    from healing_pipeline.storage.second_opinions import settle

    with psycopg.connect(connection_info(database_url)) as connection:
        settle(connection, call_id, reply, now)
