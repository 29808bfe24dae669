"""Attempts to learn from, written straight into their table, and the tables they become."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pandas as pd
from psycopg import Connection

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
SOURCES = ("fred", "polygon", "yahoo")
CLASSES = ("timeout", "rate_limit", "empty")
STRATEGIES = ("use_cached_data", "alternate_host", "fallback_provider", "hedged_request")
TABLES = (
    "inner_knowledge",
    "inner_pair",
    "inner_parameter",
    "inner_observation",
    "outer_knowledge",
)

INSERT = """
    INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, params,
                         host, failure_class, evidence, healed, fidelity, seconds, upstream_calls,
                         late, met)
    VALUES (gen_random_uuid(), %(request_id)s, %(attempt_no)s, %(at)s, %(origin)s, %(source)s,
            %(endpoint)s, %(strategy)s, jsonb_build_object('waited_s', %(waited_s)s::float8),
            %(host)s, %(failure_class)s, 'seen', %(healed)s, %(fidelity)s, %(seconds)s,
            %(upstream_calls)s, %(late)s, %(met)s)"""

Fact = dict[str, Any]


def fact(**changes: Any) -> Fact:
    """One attempt: a strategy that healed a reader's timeout, unless changed."""
    made: Fact = {
        "request_id": UUID(int=random.getrandbits(128)),
        "attempt_no": 2,
        "at": NINE,
        "origin": "reader",
        "source": "yahoo",
        "strategy": "alternate_host",
        "waited_s": 0.0,
        "host": "query2",
        "healed": True,
        "seconds": 0.25,
        "upstream_calls": 1,
        "late": False,
        "met": "timeout",
        **changes,
    }
    made.setdefault("endpoint", f"{made['source']}/one")
    made.setdefault("fidelity", "exact" if made["healed"] else None)
    made.setdefault("failure_class", "ok" if made["healed"] else made["met"])
    return made


def plain(failure_class: str = "ok", **changes: Any) -> Fact:
    """One plain first call."""
    is_ok = failure_class == "ok"
    return fact(
        **{
            "attempt_no": 1,
            "strategy": "plain",
            "healed": is_ok,
            "failure_class": failure_class,
            "met": None,
            **changes,
        }
    )


def requests(seed: int, count: int, hours: int = 6) -> list[list[Fact]]:
    """Requests that met a failure, over some hours: a plain call and what was tried then.

    Many are at the very same moment, some cross an hour, and a strategy may be tried twice.
    """
    rng = random.Random(seed)
    moments = [NINE + timedelta(seconds=rng.randrange(hours * 3600)) for _ in range(count // 2 + 1)]
    moments += [NINE + AN_HOUR * n - timedelta(seconds=1) for n in range(1, hours)]
    made = []
    for _ in range(count):
        at, source, met = rng.choice(moments), rng.choice(SOURCES), rng.choice(CLASSES)
        request_id = UUID(int=rng.getrandbits(128))
        same: Fact = {
            "request_id": request_id,
            "source": source,
            "endpoint": f"{source}/{rng.choice('ab')}",
            "host": rng.choice(["one", "two"]),
        }
        facts = [plain(met, **same, at=at, seconds=rng.random())]
        for number in range(2, 2 + rng.randint(1, 4)):
            at += timedelta(seconds=rng.choice([0, 0, 0.3, 1]))
            healed = rng.random() < 0.4
            facts.append(
                fact(
                    **same,
                    attempt_no=number,
                    at=at,
                    origin=rng.choice(["reader", "heal"]),
                    strategy=rng.choice(STRATEGIES),
                    healed=healed,
                    fidelity=rng.choice(["exact", "stale"]) if healed else None,
                    seconds=round(rng.random() * 2, 4),
                    late=rng.random() < 0.2,
                    waited_s=rng.choice([0, 0.05, 0.1, 0.3, 0.5, 2]),
                    met=met,
                )
            )
        made.append(facts)
    return made


def write(connection: Connection[Any], facts: Iterable[Fact]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(INSERT, list(facts))


def as_attempts(facts: Iterable[Fact]) -> pd.DataFrame:
    """The lessons among facts, as the public API takes them."""
    return pd.DataFrame(
        [
            {
                "at": each["at"],
                "event_id": str(each["request_id"]),
                "attempt_no": each["attempt_no"],
                "source": each["source"],
                "failure_class": each["met"],
                "strategy": each["strategy"],
                "healed": each["healed"],
                "seconds": each["seconds"],
                "late": each["late"],
                "exact": each["healed"] and each["fidelity"] == "exact",
            }
            for each in facts
            if each["met"] is not None
        ]
    )


def rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in frame.itertuples(index=False))


def values(found: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in found)


def digest(connection: Connection[Any]) -> str:
    """SHA-256 over every row of every learning table."""
    sha = hashlib.sha256()
    for table in TABLES:
        found = connection.execute(
            f'SELECT row({table}.*)::text FROM {table} ORDER BY row({table}.*)::text COLLATE "C"'
        )
        for (text,) in found:
            sha.update(f"{table} {text}\n".encode())
    return sha.hexdigest()
