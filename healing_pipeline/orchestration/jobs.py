"""`heal_endpoint`: diagnose, heal, verify, route or escalate; an op each, in one process.

The steps hand values on in memory. What has to survive the run is in PostgreSQL after each step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from healing_pipeline.control import heal_run
from healing_pipeline.control.heal_run import Taken
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.incidents.diagnosis import Diagnosis
from healing_pipeline.incidents.verification import Check
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.probing.reading import Reading


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
    """One incident on its way through the run."""

    taken: Taken
    diagnosis: Diagnosis
    last: Reading | None
    end: Answer | HealingFailed | None = None
    checks: tuple[Check, ...] = ()


# Handed on in memory: the run is one process.
MEMORY = "healing_memory"
CASE = dg.Out(dagster_type=dg.Any, is_required=False, io_manager_key=MEMORY)


@dg.op(
    name="diagnose",
    out={"case": CASE},
    description="Claim the incident and say what is broken and what will be tried.",
    tags={"dagster/kind/postgres": ""},
)
def diagnose_op(
    context: dg.OpExecutionContext, config: HealConfig, healing: HealingResource
) -> Iterator[dg.Output[Case]]:
    """Nothing is yielded, and the rest is skipped, when there is nothing left to heal."""
    session = healing.session()
    with session.database.connection() as connection:
        taken = heal_run.take(connection, config.incident_id, session.clock.now())
    if taken is None:
        context.log.info(f"Incident {config.incident_id} is healed, resolved or in other hands.")
        return
    diagnosis = heal_run.diagnosed(session.engine, taken)
    known = session.engine.last_good(taken.endpoint)
    plan = "\n".join(
        f"| {each.strategy} | {'yes' if each.taken else 'no'} | {each.because} |"
        for each in diagnosis.plan
    )
    yield dg.Output(
        Case(taken, diagnosis, None if known is None else known.reading),
        output_name="case",
        metadata={
            "endpoint": taken.endpoint,
            "failure_class": str(diagnosis.failure_class),
            "root_cause": str(diagnosis.root_cause),
            "severity": str(diagnosis.severity),
            "evidence": diagnosis.evidence,
            "plan": dg.MetadataValue.md(f"| strategy | tried | because |\n|---|---|---|\n{plan}"),
        },
    )


@dg.op(name="heal", out={"case": CASE}, description="Work through the plan against the upstreams.")
def heal_op(context: dg.OpExecutionContext, case: Any, healing: HealingResource) -> dg.Output[Any]:
    """Ask the primary once more and, if it still fails, try the remedies in their order."""
    session = healing.session()
    end = session.call(heal_run.healed, session.engine, case.taken)
    if isinstance(end, Answer):
        context.log.info(f"{end.strategy} answered, {end.fidelity}, in {end.seconds:.2f} s.")
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
                "\n".join(
                    f"- {each.strategy}: {each.because}: {each.evidence}" for each in end.tried
                )
            )
        }
    return dg.Output(
        replace(case, end=end),
        output_name="case",
        metadata={"seconds": end.seconds, "upstream_calls": end.attempts, **metadata},
    )


@dg.op(name="verify", out={"case": CASE}, description="Check the healed data itself.")
def verify_op(
    context: dg.OpExecutionContext, case: Any, healing: HealingResource
) -> dg.Output[Any]:
    """Hold the answer against its own body, its label and what was known before."""
    session = healing.session()
    if not isinstance(case.end, Answer):
        return dg.Output(case, output_name="case", metadata={"checks": 0})
    checks = heal_run.verified(
        session.catalog,
        session.engine.provider_of(case.taken.endpoint),
        case.end,
        case.last,
        session.clock.now(),
    )
    for each in checks:
        context.log.info(f"{'passed' if each.passed else 'FAILED'}: {each.name}: {each.evidence}")
    return dg.Output(
        replace(case, checks=checks),
        output_name="case",
        metadata={"checks": len(checks), "failed": sum(not each.passed for each in checks)},
    )


@dg.op(
    name="route_or_escalate",
    description="Leave a route for the next reader, or call for people.",
    tags={"dagster/kind/postgres": ""},
)
def settle_op(context: dg.OpExecutionContext, case: Any, healing: HealingResource) -> None:
    """Move the incident on, in one transaction with its route or its alert."""
    session = healing.session()
    session.recorder.flush()
    with session.database.connection() as connection:
        settled = heal_run.settle(
            connection, case.taken, case.diagnosis, case.end, case.checks, session.clock.now()
        )
    context.log.info(f"{settled.endpoint} is {settled.state}: {settled.note}")
    context.add_output_metadata(
        {
            "state": str(settled.state),
            "strategy": settled.strategy or "none",
            "fidelity": str(settled.fidelity or "none"),
            "seconds_since_detected": settled.seconds,
            "note": settled.note,
        }
    )


@dg.job(
    name="heal_endpoint",
    description="Heal one incident: diagnose, heal, verify, then leave a route or escalate.",
    executor_def=dg.in_process_executor,
    tags={"healing/retention": "short"},
)
def heal_endpoint() -> None:
    """Four steps over one case."""
    settle_op(verify_op(heal_op(diagnose_op())))
