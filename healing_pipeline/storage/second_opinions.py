"""Questions to a language model, as rows: let out within a day's budget, ended once, read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from healing_pipeline.incidents.evidence import Failing, Seen
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.second_opinion.breaking import Ended, pause
from healing_pipeline.second_opinion.reply import Outcome, Reply
from healing_pipeline.second_opinion.score import Case
from healing_pipeline.second_opinion.settings import Ask
from healing_pipeline.storage.statements import load_statements
from healing_pipeline.storage.text import json_value, storable

# The same evidence is worth one question in this time; a plan may have changed by then.
ASK_AGAIN_AFTER = timedelta(minutes=30)
# All parts of a joint incident are healed at about the same time.
SHARED_FOR = timedelta(minutes=1)
# What the breaker is told of.
_RECENT = timedelta(hours=2)
_MOST_RECENT = 100

_SQL = load_statements("second_opinions")


@dataclass(frozen=True, slots=True)
class Wish:
    """A question that somebody wants to send.

    Attributes
    ----------
    digest : str
        What has to change before it is asked again; empty: it may always be asked.
    because : str
        Why: ``unhealed``, ``always``, ``on demand``.
    diagnosis : dict
        What the model is told, as JSON values.
    most_usd : float
        What it costs at most.
    """

    incident_id: int
    joint_id: int
    digest: str
    service: str
    model: str
    because: str
    diagnosis: dict[str, Any]
    most_usd: float
    daily_budget_usd: float


@dataclass(frozen=True, slots=True)
class LetOut:
    """A question that may be sent; its dollars are set aside."""

    call_id: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A question that may not be sent, and why.

    Attributes
    ----------
    advice : dict or None
        What was answered to the same question for another part of the incident, a moment ago.
    is_under_way : bool
        Whether that question is still out.
    """

    because: str
    advice: dict[str, Any] | None = None
    is_under_way: bool = False


@dataclass(frozen=True, slots=True)
class CallRow:
    """A question as people are shown it.

    Attributes
    ----------
    outcome : str or None
        None while it is under way, or after its process was killed.
    cost_usd : float
        What is set aside, while nothing better is known.
    """

    id: int
    at: datetime
    incident_id: int
    service: str
    model: str
    because: str
    outcome: str | None
    seconds: float | None
    cost_usd: float
    advice: dict[str, Any] | None
    reason: str | None

    @property
    def said(self) -> str:
        """What came of it, in a line for people."""
        if self.advice is None:
            told = (self.outcome or "no answer", self.reason)
            return ": ".join(each for each in told if each)
        order = ", then ".join(self.advice["order"]) or "nothing of the plan"
        return f"{self.advice['root_cause']}; {order}: {self.advice['because']}"


def joint_of(connection: Connection[Any], incident_id: int) -> int | None:
    """The incident as people count it; None when there is none of that number."""
    found: int | None = _SQL.joint_of(connection, incident_id=incident_id)
    return found


def let_out(connection: Connection[Any], wish: Wish, now: datetime) -> LetOut | HeldBack:
    """Decide whether a question may be sent, and set its dollars aside if so; all or nothing.

    Whoever asks at the same moment waits: two questions never share what is left of a budget, and
    a service that failed is tried by one of them.
    """
    with connection.transaction():
        _SQL.take_turn(connection)
        since = now - ASK_AGAIN_AFTER
        if wish.digest and _SQL.was_asked(
            connection, joint_id=wish.joint_id, digest=wish.digest, since=since
        ):
            return shared_answer(connection, wish, now)
        refusal = pause(wish.service, _recent(connection, wish, now), now)
        if refusal is not None:
            return HeldBack(refusal)
        reserved = _SQL.reserve(
            connection,
            day=_day(now),
            budget_usd=wish.daily_budget_usd,
            most_usd=wish.most_usd,
        )
        if reserved is None:
            left = max(0.0, wish.daily_budget_usd - committed_usd(connection, now))
            return HeldBack(
                f"it may cost ${wish.most_usd:.4f}, and ${left:.4f} of the day's "
                f"${wish.daily_budget_usd:g} are left"
            )
        return LetOut(
            _SQL.add_call(
                connection,
                at=now,
                incident_id=wish.incident_id,
                joint_id=wish.joint_id,
                digest=wish.digest,
                service=wish.service,
                model=wish.model,
                because=wish.because,
                diagnosis=Jsonb(json_value(wish.diagnosis)),
                reserved_usd=wish.most_usd,
            )
        )


def shared_answer(connection: Connection[Any], wish: Wish, now: datetime) -> HeldBack:
    """What came of the same question for another part of the incident a moment ago."""
    minutes = ASK_AGAIN_AFTER.total_seconds() / 60
    because = f"the same was asked within the last {minutes:.0f} minutes"
    row = _SQL.shared_answer(
        connection,
        joint_id=wish.joint_id,
        digest=wish.digest,
        incident_id=wish.incident_id,
        since=now - SHARED_FOR,
    )
    if row is None:
        return HeldBack(because)
    return HeldBack(because, row["advice"], is_under_way=row["outcome"] is None)


def settle(connection: Connection[Any], call_id: int, reply: Reply, now: datetime) -> bool:
    """Put the end of a question on record and give back what it did not cost; once."""
    tokens = reply.tokens
    found = _SQL.settle(
        connection,
        call_id=call_id,
        at=now,
        outcome=str(reply.outcome),
        seconds=reply.seconds,
        input_tokens=None if tokens is None else tokens.input,
        output_tokens=None if tokens is None else tokens.output,
        cache_write_tokens=None if tokens is None else tokens.cache_write,
        cache_read_tokens=None if tokens is None else tokens.cache_read,
        cost_usd=reply.cost_usd,
        advice=None if reply.advice is None else Jsonb(json_value(reply.advice.written())),
        reason=storable(reply.reason),
        retry_after_s=reply.retry_after_s,
    )
    return found is not None


def committed_usd(connection: Connection[Any], now: datetime) -> float:
    """Dollars of this UTC day: spent, or set aside for what is under way."""
    found = _SQL.committed(connection, day=_day(now))
    return 0.0 if found is None else float(found)


def calls_about(connection: Connection[Any], incident_id: int) -> list[CallRow]:
    """The questions about an incident and what it is a part of, the oldest first."""
    return [_call(row) for row in _SQL.calls_about(connection, incident_id=incident_id)]


def cases_between(
    connection: Connection[Any], since: datetime, until: datetime, now: datetime
) -> list[Case]:
    """The questions of a time with what then healed, the oldest first."""
    return [
        Case(
            outcome=row["outcome"],
            cost_usd=_cost(row),
            seconds=row["seconds"],
            plan=tuple(row["diagnosis"].get("choices", ())),
            order=None if row["advice"] is None else tuple(row["advice"]["order"]),
            healed_by=row["healed_by"],
            tried=tuple(row["tried"]),
            root_cause=None if row["advice"] is None else row["advice"]["root_cause"],
            settled_root_cause=row["settled_root_cause"],
            after_plan=row["because"] == Ask.UNHEALED,
            is_over=row["healed_by"] is not None or now - row["at"] > ASK_AGAIN_AFTER,
        )
        for row in _SQL.calls_between(connection, since=since, until=until)
    ]


def failing_besides(
    connection: Connection[Any], incident_id: int, source: str, limit: int
) -> tuple[Failing, ...]:
    """Whatever else fails now, that of the same source first."""
    rows = _SQL.failing_besides(connection, incident_id=incident_id, source=source, limit=limit)
    return tuple(
        Failing(**{**row, "failure_class": FailureClass(row["failure_class"])}) for row in rows
    )


def latest_calls(
    connection: Connection[Any], endpoint: str, source: str, since: datetime, limit: int
) -> tuple[Seen, ...]:
    """The latest calls to a source, the endpoint's own first."""
    rows = _SQL.latest_calls(connection, endpoint=endpoint, source=source, since=since, limit=limit)
    return tuple(
        Seen(**{**row, "failure_class": FailureClass(row["failure_class"])}) for row in rows
    )


def _recent(connection: Connection[Any], wish: Wish, now: datetime) -> list[Ended]:
    rows = _SQL.recent_calls(
        connection,
        service=wish.service,
        model=wish.model,
        since=now - _RECENT,
        limit=_MOST_RECENT,
    )
    return [
        Ended(
            row["asked_at"],
            row["ended_at"],
            None if row["outcome"] is None else Outcome(row["outcome"]),
            row["retry_after_s"],
        )
        for row in rows
    ]


def _call(row: dict[str, Any]) -> CallRow:
    return CallRow(
        id=row["id"],
        at=row["at"],
        incident_id=row["incident_id"],
        service=row["service"],
        model=row["model"],
        because=row["because"],
        outcome=row["outcome"],
        seconds=row["seconds"],
        cost_usd=_cost(row),
        advice=row["advice"],
        reason=row["reason"],
    )


def _cost(row: dict[str, Any]) -> float:
    cost: float | None = row["cost_usd"]
    return float(row["reserved_usd"]) if cost is None else cost


def _day(now: datetime) -> Any:
    return now.astimezone(UTC).date()
