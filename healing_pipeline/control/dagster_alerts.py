"""People are told of what Dagster's runs failed to do: once, whoever saw it first.

A hook sees a step fail, the sensor of failed runs sees the run, a watcher sees a check. All tell
here. What they tell of is a *subject*: an asset, a check, an op of a job, or a run that never came
so far. Each failure is a row until the same was done, of the same partition; its alert group is
over when none of its rows stands any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from healing_pipeline.control.alerting import fire, recover
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.storage import dagster_failures
from healing_pipeline.storage.dagster_failures import DagsterFailure

# That many matters at once have one cause that nobody of Dagster's knows: a machine, a database, a
# deployment. What comes after them is told together.
MANY, MANY_WITHIN = 10, timedelta(minutes=10)
MANY_FINGERPRINT = "dagster:many"

NAMED = 3

ACTION = "Open the run on Dagster's page, mend what its error names, and launch it again."


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is done or not."""

    kind: str
    name: str

    def __str__(self) -> str:
        """As rows have it."""
        return f"{self.kind}:{self.name}"

    @property
    def fingerprint(self) -> str:
        """Of the alert group that tells of it, unless its run's group does."""
        if self.kind in {"op", "run"}:
            return f"dagster:job:{self.name.split(':')[0]}"
        return f"dagster:{self.kind}:{self.name}"

    @property
    def words(self) -> str:
        """What people call it."""
        match self.kind:
            case "asset":
                return f"asset {self.name}"
            case "check":
                asset, _, name = self.name.rpartition(":")
                return f"check {name} of {asset}"
            case "op":
                job, _, op = self.name.partition(":")
                return f"op {op} of job {job}"
            case _:
                return f"job {self.name}"


def asset(key: str) -> Subject:
    """An asset, by its key as people write it."""
    return Subject("asset", key)


def check(key: str, name: str) -> Subject:
    """A check of an asset."""
    return Subject("check", f"{key}:{name}")


def op(job: str, name: str) -> Subject:
    """An op of a job."""
    return Subject("op", f"{job}:{name}")


def run(job: str) -> Subject:
    """A run that did not come as far as one of its ops."""
    return Subject("run", job)


def subject_of(text: str) -> Subject:
    """Read what `Subject` wrote."""
    kind, _, name = text.partition(":")
    return Subject(kind, name)


@dataclass(frozen=True, slots=True)
class Failed:
    """What one run failed to do.

    Attributes
    ----------
    subjects : sequence of Subject
    evidence : str
        One line without secrets: what the error said.
    page : str
        Where people read of the run.
    partition : str or None
        Its key, or ``<first>...<last>``.
    failed_at : datetime
        By the machine's clock.
    """

    run_id: str
    job: str
    subjects: Sequence[Subject]
    evidence: str
    page: str
    failed_at: datetime
    partition: str | None = None
    level: Severity = Severity.ERROR
    owners: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """What the message is headed with."""
        names = [each.words for each in self.subjects[:NAMED]]
        more = len(self.subjects) - len(names)
        said = ", ".join(names) + (f" and {more} more" if more else "")
        return f"{said} failed" + (f" for {self.partition}" if self.partition else "")

    @property
    def body(self) -> str:
        """What it says."""
        return f"{self.evidence} Run {self.run_id} of {self.job}: {self.page}"


def tell(connection: Connection[Any], failed: Failed, at: datetime) -> bool:
    """Tell of a run's failures; False when all of them are told of already.

    Parameters
    ----------
    at : datetime
        By the clock that alerts are dated with.

    Notes
    -----
    What one run failed to do is one matter, and so is what fails again before it was done. Past
    `MANY` matters at once the others are one.
    """
    with connection.transaction():
        dagster_failures.take_turn(connection)
        known = dagster_failures.subjects_of_run(connection, failed.run_id)
        new = [each for each in failed.subjects if str(each) not in known]
        if not new:
            return False
        standing = dagster_failures.standing_fingerprints(
            connection, failed.failed_at - MANY_WITHIN
        )
        together = dagster_failures.begun_by_run(connection, failed.run_id)
        if together is None and sum(standing.values()) >= MANY:
            together = MANY_FINGERPRINT
        told: set[str] = set()
        for each in new:
            own = each.fingerprint
            # What stands already is told of where it stands.
            fingerprint = own if own in standing else together or own
            if fingerprint == own:
                together = together or own
            dagster_failures.add_failure(connection, _row(failed, each, fingerprint))
            told.add(fingerprint)
        for fingerprint in sorted(told):
            _fire(connection, failed, fingerprint, at)
        return True


def succeeded(
    connection: Connection[Any],
    subject: Subject,
    partition: str | None,
    *,
    done_at: datetime,
    at: datetime,
    note: str,
) -> bool:
    """Tell that something was done; False when it had not failed, which costs one statement.

    Parameters
    ----------
    done_at : datetime
        By the machine's clock.
    at : datetime
        By the clock that alerts are dated with.
    note : str
        Who did it: people read it in the closing message.
    """
    if not dagster_failures.is_standing(connection, str(subject), partition):
        return False
    with connection.transaction():
        dagster_failures.take_turn(connection)
        over = dagster_failures.recover_failures(
            connection, subject=str(subject), partition=partition, at=done_at
        )
        for fingerprint in sorted(over):
            recover(connection, fingerprint=fingerprint, at=at, note=note)
    return True


def _row(failed: Failed, subject: Subject, fingerprint: str) -> DagsterFailure:
    return DagsterFailure(
        run_id=failed.run_id,
        subject=str(subject),
        job=failed.job,
        partition=failed.partition,
        fingerprint=fingerprint,
        failed_at=failed.failed_at,
    )


def _fire(connection: Connection[Any], failed: Failed, fingerprint: str, at: datetime) -> None:
    title = failed.title
    if fingerprint == MANY_FINGERPRINT:
        title = f"More than {MANY} jobs, assets and checks of Dagster's failed, {title} among them"
    fire(
        connection,
        fingerprint=fingerprint,
        level=failed.level,
        title=title,
        body=failed.body,
        at=at,
        owners=failed.owners,
        detail={
            "evidence": failed.evidence,
            "action": ACTION,
            "job": failed.job,
            "run_id": failed.run_id,
            "run_page": failed.page,
            "partition": failed.partition,
            "subjects": [str(each) for each in failed.subjects],
        },
    )
