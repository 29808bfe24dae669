"""`healing explain`: one request from question to end, each choice made again from the record."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from healing_pipeline.cli.console import print_json
from healing_pipeline.cli.explain_text import show
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.explanation import (
    Replay,
    belief_of,
    candidates_of,
    left_out_of,
    replayed,
    verdict_of,
)
from healing_pipeline.healing.facts import Attempt, Decision
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.learning.policy import EMPTY
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.decisions import (
    OnRecord,
    newest_healed,
    on_record,
    policy_that_begins,
)
from healing_pipeline.storage.migration import bring_up_to_date

WHERE_IDS_ARE = (
    "An answer's `request_id` is one: `healing fetch` prints it, the gateway sends it as "
    "X-Healing-Request-Id. `healing explain --last` shows the newest healed request."
)


@dataclass(frozen=True, slots=True)
class Remade:
    """A choice made again.

    Attributes
    ----------
    version : int or None
        Of the policy that made it; None where it was the empty one.
    """

    version: int | None
    replay: Replay


def explain(config: Path, given: str | None, *, last: bool, as_json: bool) -> int:
    """Print a request and its choices; 0 when each comes out as it did then."""
    if last == (given is not None):
        raise ConfigurationError("One request can be explained.", WHERE_IDS_ARE)
    request_id = None if given is None else _id(given)
    load_catalog(config, os.environ)
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url) as database:
            bring_up_to_date(database, address.owner_url)
            found = _found(database, request_id)
            remade = [_remade(database, each) for each in found.decisions]
    finally:
        address.close()
    document = _document(found, remade)
    if as_json:
        print_json(document)
    else:
        show(document)
    return 1 if any(each.replay.difference for each in remade) else 0


def _id(given: str) -> UUID:
    try:
        return UUID(given.strip().removeprefix("urn:uuid:"))
    except ValueError:
        raise ConfigurationError(f"'{given}' is no request id.", WHERE_IDS_ARE) from None


def _found(database: Database, request_id: UUID | None) -> OnRecord:
    with database.connection() as connection:
        if request_id is None:
            request_id = newest_healed(connection)
            if request_id is None:
                raise ConfigurationError(
                    "No request of a reader was healed yet.",
                    "`healing up` serves readers whose requests fail now and then.",
                )
        found = on_record(connection, request_id)
    if found is None:
        raise ConfigurationError(
            f"No request {request_id} is on record here; one is stored within a second.",
            WHERE_IDS_ARE,
        )
    return found


def _remade(database: Database, decision: Decision) -> Remade:
    """Make a choice again by the stored policy that made it."""
    if decision.policy is None:
        return Remade(None, replayed(decision, EMPTY))
    try:
        with database.connection() as connection:
            known = policy_that_begins(connection, decision.policy)
    except ValueError as error:
        return Remade(None, Replay((), f"its policy {decision.policy} cannot be read: {error}"))
    if known is None:
        return Remade(None, Replay((), f"its policy {decision.policy} is not in this database"))
    version, policy = known
    return Remade(version, replayed(decision, policy))


def _document(found: OnRecord, remade: list[Remade]) -> dict[str, Any]:
    answer, decisions, attempts = found.answer, found.decisions, found.attempts
    about = answer or (decisions[0] if decisions else attempts[0])
    first = attempts[0] if attempts else None
    failed_first = first is not None and not first.healed
    return {
        "request_id": str(found.request_id),
        "endpoint": about.endpoint,
        "at": about.at.isoformat(),
        "origin": "reader" if first is None else first.origin,
        "met": None
        if answer is None or answer.failure_class is None
        else {
            "failure_class": answer.failure_class,
            "evidence": first.evidence if first is not None and failed_first else None,
        },
        "end": None
        if answer is None
        else {
            "failed": answer.failed,
            "fidelity": answer.fidelity,
            "strategy": answer.strategy,
            "provider": answer.provider,
            "attempts": answer.attempts,
            "seconds": answer.seconds,
            "as_of": None if answer.as_of is None else answer.as_of.isoformat(),
        },
        "decisions": [_decision(each, made) for each, made in zip(decisions, remade, strict=True)],
        "attempts": [_attempt(each) for each in attempts],
        "replayed": "the same order"
        if not any(each.replay.difference for each in remade)
        else "not as it was",
    }


def _decision(decision: Decision, remade: Remade) -> dict[str, Any]:
    candidates, belief = candidates_of(decision), belief_of(decision)
    return {
        "number": decision.decision_no,
        "at": decision.at.isoformat(),
        "late": decision.late,
        "failure_class": decision.failure_class,
        "policy": decision.policy,
        "policy_version": remade.version,
        "budget_s": decision.budget_s,
        "failed_before": decision.considered["failed"],
        "candidates": [
            {**each, "up": belief.get(each["strategy"], 1.0), "verdict": verdict_of(each, decision)}
            for each in candidates
        ],
        "left_out": left_out_of(decision),
        "replayed": remade.replay.difference or "the same order",
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.attempt_no,
        "strategy": attempt.strategy,
        "met": attempt.met,
        "healed": attempt.healed,
        "fidelity": attempt.fidelity,
        "failure_class": attempt.failure_class,
        "evidence": attempt.evidence,
        "host": attempt.host,
        "key": attempt.key_name,
        "upstream_calls": attempt.upstream_calls,
        "seconds": attempt.seconds,
        "waited_s": attempt.params.get("waited_s", 0.0),
        "late": attempt.late,
    }
