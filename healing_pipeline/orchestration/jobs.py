"""`heal_endpoint`: diagnose, heal, verify, route or escalate; an op each, in one process.

A heal run is to be over in a second, and each event that it leaves costs milliseconds: the steps
hand their case on without an I/O manager, and what a step found is in its metadata and not in lines
of log as well. What has to survive the run is in PostgreSQL after each step.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from healing_pipeline.control import heal_run
from healing_pipeline.control.diagnosing import causes_at
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.control.settling import settle
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.incidents.diagnosis import Diagnosis
from healing_pipeline.incidents.verification import Check
from healing_pipeline.orchestration.heal_seconds import seconds_before, seconds_between
from healing_pipeline.orchestration.pod_sizes import HEAL_POD
from healing_pipeline.orchestration.queues import HEAL
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.probing.reading import Reading
from healing_pipeline.reporting.marks import marked_list, marked_table
from healing_pipeline.session import Session

STEPS = ("diagnosis", "healing", "verification", "settling")


class HealConfig(dg.Config):
    """Which incident, and which of its events asked.

    Attributes
    ----------
    incident_id : int
    event_id : int
    """

    incident_id: int
    event_id: int


@dataclass(frozen=True, slots=True)
class Case:
    """One incident on its way through the run.

    Attributes
    ----------
    moments : tuple of float
        When each step began, in seconds since the epoch.
    """

    taken: Taken
    diagnosis: Diagnosis
    last: Reading | None
    moments: tuple[float, ...]
    end: Answer | HealingFailed | None = None
    checks: tuple[Check, ...] = ()


class CaseInHand:
    """What the steps of one run hand on; a resource, so that each run has its own."""

    def __init__(self) -> None:
        self._case: Case | None = None

    def put(self, case: Case) -> None:
        """Hand a case on."""
        self._case = case

    def take(self) -> Case:
        """Take it over from the step before.

        Raises
        ------
        dagster.Failure
            If that step was not part of this run.
        """
        if self._case is None:
            raise dg.Failure(
                "A heal run goes from its first step to its last: run all of it again. An incident "
                "that nobody heals asks again by itself.",
                allow_retries=False,
            )
        return self._case


CASE = "healing_case"

# Of a large scope, as many endpoints as a table of metadata is read with.
SCOPE_SHOWN = 20

# Nothing goes from step to step but the word to go on; see `CaseInHand`.
GO_ON = dg.Out(dagster_type=dg.Nothing, is_required=False)
AFTER = {"after": dg.In(dagster_type=dg.Nothing)}


@dg.resource(description="What the steps of one heal run hand on.")
def case_in_hand(_: dg.InitResourceContext) -> CaseInHand:
    """Build the resource of one run."""
    return CaseInHand()


@dg.op(
    name="diagnose",
    out={"case": GO_ON},
    description="Claim the incident and say what is broken and what will be tried.",
    tags={"dagster/kind/postgres": ""},
)
def diagnose_op(
    context: dg.OpExecutionContext,
    config: HealConfig,
    healing: HealingResource,
    healing_case: dg.ResourceParam[CaseInHand],
) -> Iterator[dg.Output[None]]:
    """Nothing is yielded, and the rest is skipped, when there is nothing left to heal."""
    began_at = time.time()
    session = healing.bare_session()
    with session.database.connection() as connection:
        taken = heal_run.take(connection, config.incident_id, session.clock.now())
    if taken is None:
        context.log.info(f"Incident {config.incident_id} is healed, resolved or in other hands.")
        return
    session.catch_up(taken.endpoint)
    with session.database.connection() as connection:
        found = causes_at(connection, session.catalog, taken.source, session.clock.now())
    diagnosis = heal_run.diagnosed(session.engine, taken, found)
    joint_ids = {} if found is None else found.joint_ids
    joint_id = joint_ids.get(taken.incident_id, taken.incident_id)
    known = session.engine.last_good(taken.endpoint)
    last = None if known is None else known.reading
    healing_case.put(Case(taken, diagnosis, last, (began_at,)))
    plan = marked_table(
        ("strategy", "tried", "because"),
        ((each.strategy, "yes" if each.taken else "no", each.because) for each in diagnosis.plan),
    )
    chain = marked_table(
        ("asked", "found", "so"),
        ((each.question, each.found, each.follows) for each in diagnosis.chain),
    )
    yield dg.Output(
        None,
        output_name="case",
        metadata={
            "endpoint": taken.endpoint,
            "failure_class": str(diagnosis.failure_class),
            "root_cause": str(diagnosis.root_cause),
            "place": str(diagnosis.place),
            "joint_incident": joint_id,
            "scope": len(diagnosis.scope),
            "endpoints": ", ".join(diagnosis.scope[:SCOPE_SHOWN]),
            "severity": str(diagnosis.severity),
            "evidence": diagnosis.evidence,
            "chain": dg.MetadataValue.md(chain),
            "plan": dg.MetadataValue.md(plan),
        },
    )


@dg.op(
    name="heal",
    ins=AFTER,
    out={"case": GO_ON},
    description="Work through the plan against the upstreams.",
)
def heal_op(
    context: dg.OpExecutionContext,
    healing: HealingResource,
    healing_case: dg.ResourceParam[CaseInHand],
) -> Iterator[dg.Output[None]]:
    """Ask the primary once more and, if it still fails, try the remedies in their order."""
    began_at, case, session = time.time(), healing_case.take(), healing.bare_session()
    told = ""
    if session.catalog.second_opinion is None:
        end = session.call(heal_run.healed, session.engine, case.taken)
    else:
        end, told = _heal_with_advice(session, case)
    healing_case.put(replace(case, end=end, moments=(*case.moments, began_at)))
    if isinstance(end, Answer):
        metadata: dict[str, Any] = {
            "strategy": end.strategy,
            "fidelity": str(end.fidelity),
            "as_of": end.as_of.isoformat(),
            "provider": end.provider,
        }
    else:
        context.log.warning(f"Nothing helped: {end.verdict.evidence}")
        metadata = {
            "tried": dg.MetadataValue.md(
                marked_list(
                    f"{each.strategy}: {each.because}: {each.evidence}" for each in end.tried
                )
            )
        }
    yield dg.Output(
        None,
        output_name="case",
        metadata={
            "seconds": end.seconds,
            "upstream_calls": end.attempts,
            **metadata,
            **({"second_opinion": told} if told else {}),
        },
    )


def _heal_with_advice(session: Session, case: Case) -> tuple[Answer | HealingFailed, str]:
    """Heal by the plan, and ask the configured model before that comes to nothing."""
    from healing_pipeline.control.advised_heal import heal_with_advice

    def heal(order: Sequence[str]) -> Answer | HealingFailed:
        return session.call(heal_run.healed, session.engine, case.taken, order)

    def holds(answer: Answer) -> bool:
        return all(each.passed for each in _checks(session, case, answer))

    advised = heal_with_advice(
        heal,
        holds,
        database=session.database,
        catalog=session.catalog,
        taken=case.taken,
        diagnosis=case.diagnosis,
        now=session.clock.now,
        environ=os.environ,
    )
    return advised.end, advised.told


def _checks(session: Session, case: Case, answer: Answer) -> tuple[Check, ...]:
    return heal_run.verified(
        session.catalog,
        session.engine.provider_of(case.taken.endpoint),
        answer,
        case.last,
        session.clock.now(),
    )


@dg.op(
    name="verify",
    ins=AFTER,
    out={"case": GO_ON},
    description="Check the healed data itself.",
)
def verify_op(
    context: dg.OpExecutionContext,
    healing: HealingResource,
    healing_case: dg.ResourceParam[CaseInHand],
) -> Iterator[dg.Output[None]]:
    """Hold the answer against its own body, its label and what was known before."""
    began_at, case, session = time.time(), healing_case.take(), healing.bare_session()
    checks: tuple[Check, ...] = ()
    if isinstance(case.end, Answer):
        checks = _checks(session, case, case.end)
    healing_case.put(replace(case, checks=checks, moments=(*case.moments, began_at)))
    failed = [each for each in checks if not each.passed]
    for each in failed:
        context.log.warning(f"{each.name} did not hold: {each.evidence}")
    table = marked_table(
        ("check", "passed", "evidence"),
        ((each.name, "yes" if each.passed else "NO", each.evidence) for each in checks),
    )
    yield dg.Output(
        None,
        output_name="case",
        metadata={
            "checks": len(checks),
            "failed": len(failed),
            "evidence": dg.MetadataValue.md(table),
        },
    )


@dg.op(
    name="route_or_escalate",
    ins=AFTER,
    out=dg.Out(dagster_type=dg.Nothing),
    description="Leave a route for the next reader, or call for people.",
    tags={"dagster/kind/postgres": ""},
)
def settle_op(
    context: dg.OpExecutionContext,
    healing: HealingResource,
    healing_case: dg.ResourceParam[CaseInHand],
) -> None:
    """Move the incident on, in one transaction with its route or its alert."""
    began_at, case, session = time.time(), healing_case.take(), healing.bare_session()
    assert case.end is not None, "the step before has healed"
    session.recorder.flush()
    with session.database.connection() as connection:
        diagnosis = heal_run.diagnosed_again(
            connection, session.catalog, case.taken, case.diagnosis, session.clock.now()
        )
    with session.database.connection() as connection:
        settled = settle(
            connection,
            case.taken,
            diagnosis,
            case.end,
            case.checks,
            session.clock.now(),
            catalog=session.catalog,
        )
    moments = (*case.moments, began_at, time.time())
    stats = context.instance.get_run_stats(context.run_id)
    spent = {
        **seconds_before(context.run, stats, moments[0]),
        **seconds_between(STEPS, moments),
    }
    context.log.info(f"{settled.endpoint} is {settled.state}: {settled.note}")
    context.add_output_metadata(
        {
            "state": str(settled.state),
            "strategy": settled.strategy or "none",
            "fidelity": str(settled.fidelity or "none"),
            "seconds_since_detected": settled.seconds,
            "note": settled.note,
            **{f"{name}_s": round(seconds, 3) for name, seconds in spent.items()},
        }
    )


@dg.job(
    name="heal_endpoint",
    description="Heal one incident: diagnose, heal, verify, then leave a route or escalate.",
    executor_def=dg.in_process_executor,
    tags={"healing/retention": "short", **HEAL, **HEAL_POD},
)
def heal_endpoint() -> None:
    """Four steps over one case."""
    settle_op(after=verify_op(after=heal_op(after=diagnose_op())))
