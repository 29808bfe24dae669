"""The learning assets: `inner_knowledge` by hour and source, `outer_knowledge` by day, `policy`.

PostgreSQL counts, the core fits. pandas, numpy and matplotlib are imported inside the bodies: a
heal run starts from the same module and must not pay for them.
"""

import warnings
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Any

import dagster as dg

from healing_pipeline.control import learning_run
from healing_pipeline.learning.policy import Policy
from healing_pipeline.orchestration.assets import ONE_CORE, OWNERS, records_table, table_schema
from healing_pipeline.orchestration.partitions import days, hours_by_source, spans_of
from healing_pipeline.orchestration.queues import LEARN
from healing_pipeline.orchestration.resources import HealingResource
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.learning_columns import (
    INNER_KNOWLEDGE_COLUMNS,
    OUTER_KNOWLEDGE_COLUMNS,
    POLICY_COLUMNS,
)
from healing_pipeline.reporting.learning_plot import LearningDay, heat_map, learning_curve
from healing_pipeline.storage import learning

GROUP = "learning"
KINDS = {"postgres", "pandas", "scikitlearn"}

# On a run that people asked for: it may publish though they had gone back to an earlier policy.
RELEASE_TAG = "healing/release"

# The table in the metadata is for people: what changed most.
CHANGES_SHOWN = 30

# When an input was written and this was not since. Inputs that were never written do not hold it
# up: an installation that began yesterday would wait for hours that it cannot have. Inputs that
# are being written do: a day is not summed once for every source.
WHEN_INPUTS_CHANGE = (
    dg.AutomationCondition.any_deps_updated().since_last_handled()
    & ~dg.AutomationCondition.any_deps_in_progress()
    & ~dg.AutomationCondition.in_progress()
).with_label("when_inputs_change")

# A tick later: the hours of an old day have just caused that day to be asked for, and a policy
# must not overtake it.
WHEN_INPUTS_SETTLE = (
    WHEN_INPUTS_CHANGE
    & ~dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated())
).with_label("when_inputs_settle")

CHANGE_COLUMNS = (
    Column("source", "string", "Whose endpoints fail"),
    Column("failure_class", "string", "How they fail"),
    Column("strategy", "string", "What heals it"),
    Column("p_old", "float", "Probability by the policy before"),
    Column("p_new", "float", "Probability by this policy"),
    Column("tries", "int", "Attempts behind it"),
)


def learning_assets(since: date, sources: Sequence[str]) -> list[dg.AssetsDefinition]:
    """Build the three assets for the sources of a configuration."""
    with warnings.catch_warnings():
        # Dagster calls backfill policies beta, whoever loads them.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _assets(since, tuple(sources))


def _assets(since: date, named: tuple[str, ...]) -> list[dg.AssetsDefinition]:

    @dg.asset(
        name="inner_knowledge",
        group_name=GROUP,
        pool=ONE_CORE,
        tags=LEARN,
        partitions_def=hours_by_source(since, named),
        # Of two dimensions Dagster makes a run per source, not one: which is the right size here.
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=dg.AutomationCondition.on_cron("5 * * * *"),
        kinds={"postgres"},
        owners=OWNERS,
        description="How strategies fared, by hour, source and failure class: counts and the last "
        "outcomes. A late event's hour is folded again.",
        metadata={
            "dagster/column_schema": table_schema(INNER_KNOWLEDGE_COLUMNS),
            "dagster/table_name": "healing.inner_knowledge",
        },
    )
    def inner_knowledge(
        context: dg.AssetExecutionContext, healing: HealingResource
    ) -> dg.MaterializeResult[Any]:
        database = healing.session().database
        rows: dict[str, int] = {}
        kept = 0
        for span in spans_of(context.partition_keys):
            begin, end = span.as_range
            first = learning_run.fold(database, begin, end, span.sources)
            kept += (first - begin) // timedelta(hours=1) * len(span.sources)
            with database.connection() as connection:
                for name, count in learning.rows_of(
                    connection, *span.as_range, span.sources
                ).items():
                    rows[name] = rows.get(name, 0) + count
        context.log.info(f"{len(context.partition_keys) - kept} hours of sources folded: {rows}.")
        if kept:
            context.log.warning(
                f"{kept} hours of sources keep what was learned of them: their facts were pruned."
            )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows.pop("inner_knowledge", 0),
                **rows,
                # The same for every partition of a run, as Dagster has it.
                "partitions": len(context.partition_keys),
                **({"kept_because_pruned": kept} if kept else {}),
            }
        )

    @dg.asset(
        name="outer_knowledge",
        group_name=GROUP,
        pool=ONE_CORE,
        tags=LEARN,
        deps=[inner_knowledge],
        partitions_def=days(since),
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=WHEN_INPUTS_CHANGE,
        kinds={"postgres"},
        owners=OWNERS,
        description="The sums of each day over its hours; never forgets. What every source, and "
        "every new source, starts from.",
        metadata={
            "dagster/column_schema": table_schema(OUTER_KNOWLEDGE_COLUMNS),
            "dagster/table_name": "healing.outer_knowledge",
        },
    )
    def outer_knowledge(
        context: dg.AssetExecutionContext, healing: HealingResource
    ) -> dg.MaterializeResult[Any]:
        window = context.partition_time_window
        begin, end = window.start.astimezone(UTC), window.end.astimezone(UTC)
        with healing.session().database.connection() as connection:
            first = learning.fold_days(connection, begin, end)
            count = learning.outer_count(connection, begin, end)
        kept = (first - begin) // timedelta(days=1)
        if kept:
            context.log.warning(f"{kept} days keep their sums: their hours were pruned.")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": count,
                "days": (end - begin) // timedelta(days=1),
                **({"kept_because_pruned": kept} if kept else {}),
            }
        )

    @dg.asset(
        name="policy",
        group_name=GROUP,
        pool=ONE_CORE,
        tags=LEARN,
        deps=[inner_knowledge, outer_knowledge],
        automation_condition=WHEN_INPUTS_SETTLE,
        kinds=KINDS,
        owners=OWNERS,
        description="What the data path orders strategies by: fitted to both layers, held against "
        "the last day, then published as a version or refused.",
        metadata={
            "dagster/column_schema": table_schema(POLICY_COLUMNS),
            "dagster/table_name": "healing.policy",
        },
    )
    def policy(
        context: dg.AssetExecutionContext, healing: HealingResource
    ) -> dg.MaterializeResult[Any]:
        session = healing.session()
        now = session.clock.now()
        by_hand = context.run.tags.get(RELEASE_TAG) == "true"
        with session.database.connection() as connection:
            made = learning_run.make_policy(connection, now, named, release=by_hand)
            days = learning_run.healing_days(connection, now)
        say = context.log.warning if made.status == "refused" else context.log.info
        say(f"Policy {made.version} is {made.status}: {made.reason}.")
        shown = policy_metadata(made)
        if by_hand or made.is_first_of_its_day:
            shown |= pictures(made.policy, days)
        return dg.MaterializeResult(metadata=shown)

    return [inner_knowledge, outer_knowledge, policy]


def policy_metadata(made: learning_run.Made) -> dict[str, Any]:
    """What is shown of a policy that was made."""
    found = learning_run.changes(made.old, made.policy)
    shown = [
        {each.name: getattr(change, each.name) for each in CHANGE_COLUMNS}
        for change in found[:CHANGES_SHOWN]
    ]
    compared = made.comparison
    return {
        "version": made.version,
        "status": made.status,
        "reason": made.reason,
        "fingerprint": made.policy.fingerprint,
        "events": compared.events,
        "value_new": "no events" if compared.value_new is None else compared.value_new,
        "value_old": "no events" if compared.value_old is None else compared.value_old,
        "headroom": "nothing to gain" if compared.headroom is None else compared.headroom,
        "rates": sum(len(rates) for rates in made.policy.inner.values()),
        "changed": len(found),
        "changes": records_table(shown, CHANGE_COLUMNS),
        **{
            f"rates_{each}": dg.MetadataValue.md(rates_table(made.policy, each))
            for each in sources_of(made.policy)
        },
    }


def pictures(policy: Policy, days: Sequence[LearningDay]) -> dict[str, Any]:
    """The policy by source as heat maps, and how healing went; half a megabyte, so once a day."""
    return {
        "learning_curve": dg.MetadataValue.md(learning_curve(days)),
        **{
            f"heat_map_{each}": dg.MetadataValue.md(heat_map(policy, each))
            for each in sources_of(policy)
        },
    }


def sources_of(policy: Policy) -> list[str]:
    """Sources at which anything was tried."""
    return sorted({source for source, _ in policy.inner})


def rates_table(policy: Policy, source: str) -> str:
    """The rates of a source as a Markdown table, failure classes down, strategies across."""
    classes = sorted(name for each, name in policy.inner if each == source)
    strategies = sorted({each for name in classes for each in policy.inner[source, name]})
    head = "| | " + " | ".join(strategies) + " |\n|" + "---|" * (len(strategies) + 1)
    rows = []
    for name in classes:
        rates = policy.inner[source, name]
        cells = [f"{rates[each].p:.0%}" if each in rates else "" for each in strategies]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([head, *rows])
