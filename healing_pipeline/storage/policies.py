"""Policies in the database: made once, kept for ever, published and published again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from healing_pipeline.errors import HealingPipelineError
from healing_pipeline.learning.policy import Policy
from healing_pipeline.storage.statements import load_statements

_SQL = load_statements("policies")
_LOG = logging.getLogger(__name__)

PUBLISHED, REFUSED = "published", "refused"


class NoSuchPolicyError(HealingPipelineError):
    """A version that cannot be published."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A policy, and what the last day's events say of it.

    Attributes
    ----------
    status : str
        ``published`` or ``refused``.
    events : int
        Events it was held against.
    value_new, value_old, standard_error : float or None
        Chance to heal under it and under the one before; None without events.
    value_floor, value_ceiling : float or None
        The same without learning, and in hindsight.
    """

    policy: Policy
    status: str
    reason: str
    events: int = 0
    value_new: float | None = None
    value_old: float | None = None
    standard_error: float | None = None
    value_floor: float | None = None
    value_ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One line of the history."""

    version: int
    as_of: datetime
    made_at: datetime
    fingerprint: str
    status: str
    reason: str
    events: int
    value_new: float | None
    value_old: float | None
    standard_error: float | None
    is_active: bool
    published_at: datetime | None


def active_policy(connection: Connection[Any]) -> tuple[int, Policy] | None:
    """The policy in force and its version; None before the first, or when it cannot be read."""
    row = _SQL.active_policy(connection)
    if row is None:
        return None
    try:
        return row["version"], Policy.from_json(row["document"])
    except ValueError as error:
        _LOG.warning("Policy %s cannot be read (%s); none is used.", row["version"], error)
        return None


def active_version(connection: Connection[Any]) -> int | None:
    """The version of the policy in force; None before the first."""
    newest = _SQL.newest_publication(connection)
    return None if newest is None else int(newest["version"])


def take_turn(connection: Connection[Any]) -> None:
    """Let nobody else publish until the end of the transaction."""
    _SQL.take_turn(connection)


def store_policy(connection: Connection[Any], judged: Judged, now: datetime) -> int:
    """Keep a policy, and publish it unless it was refused; returns its version."""
    policy = judged.policy
    version: int = _SQL.add_policy(
        connection,
        as_of=policy.as_of or now,
        made_at=now,
        fingerprint=policy.fingerprint,
        document=policy.to_json(),
        status=judged.status,
        reason=judged.reason,
        events=judged.events,
        value_new=judged.value_new,
        value_old=judged.value_old,
        standard_error=judged.standard_error,
        value_floor=judged.value_floor,
        value_ceiling=judged.value_ceiling,
    )
    if judged.status == PUBLISHED:
        _SQL.publish(connection, version=version, at=now, reason=judged.reason, is_rollback=False)
    return version


def rolled_back_to(connection: Connection[Any]) -> int | None:
    """The version that people went back to and that still holds; None when learning may publish."""
    newest = _SQL.newest_publication(connection)
    return newest["version"] if newest is not None and newest["is_rollback"] else None


def roll_back(connection: Connection[Any], version: int | None, now: datetime) -> tuple[int, int]:
    """Publish an earlier policy again.

    Parameters
    ----------
    version : int or None
        Which; None for the last one before the active version that was in force.

    Returns
    -------
    tuple of int
        The version that was active, and the one that is now.

    Raises
    ------
    NoSuchPolicyError
        If there is none to go back to, or it was refused, or it is active already.
    """
    take_turn(connection)
    newest = _SQL.newest_publication(connection)
    if newest is None:
        raise NoSuchPolicyError(
            "No policy was published yet, so there is none to go back to. `healing learn` "
            "makes one."
        )
    active: int = newest["version"]
    if version is None:
        version = _SQL.published_before(connection, version=active)
        if version is None:
            raise NoSuchPolicyError(
                f"Version {active} is the first that was published; there is none before it. "
                "`healing learn --history` lists them."
            )
    status = _SQL.policy_status(connection, version=version)
    if status is None:
        raise NoSuchPolicyError(
            f"There is no policy version {version}. `healing learn --history` lists them."
        )
    if status != PUBLISHED:
        raise NoSuchPolicyError(
            f"Version {version} was refused, because it would heal less. Choose one that was "
            "published: `healing learn --history`."
        )
    if version == active:
        raise NoSuchPolicyError(
            f"Version {version} is the active one already. `healing learn --history` lists all."
        )
    _SQL.publish(
        connection,
        version=version,
        at=now,
        reason=f"rolled back from version {active}",
        is_rollback=True,
    )
    return active, version


def policy_versions(connection: Connection[Any], at_most: int = 50) -> list[PolicyVersion]:
    """Every policy that was made, the newest first."""
    return [PolicyVersion(**row) for row in _SQL.policy_versions(connection, at_most=at_most)]


def policy_at(connection: Connection[Any], version: int) -> Policy | None:
    """A policy by its version; None where there is none.

    Raises
    ------
    ValueError
        If its document cannot be read.
    """
    document = _SQL.policy_document(connection, version=version)
    return None if document is None else Policy.from_json(document)
