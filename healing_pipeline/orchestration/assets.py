"""The assets: `market_data`, read through the healing data path, and `health_report`.

pandas and matplotlib are imported inside the bodies: a heal run starts from the same module and
must not pay for them.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import dagster as dg

from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.orchestration.queues import LEARN
from healing_pipeline.orchestration.resources import HealingClientResource, HealingResource
from healing_pipeline.reporting.columns import HEALTH_COLUMNS, MARKET_DATA_COLUMNS, Column

OWNERS = ["team:reliability"]

# The pool of what takes a core for seconds; dagster.yaml says how many of it at a time.
ONE_CORE = "one_core"

DATABASE_WITHIN_S = 30.0

# Rows of a table in an event of Dagster's; the tables of PostgreSQL have them all.
MOST_RECORDS = 500


def table_schema(columns: tuple[Column, ...]) -> dg.TableSchema:
    """Declare columns to Dagster's catalog."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                each.name,
                each.type,
                each.description,
                constraints=dg.TableColumnConstraints(nullable=each.nullable),
            )
            for each in columns
        ]
    )


@dg.asset(
    name="market_data",
    group_name="data",
    kinds={"postgres", "pandas"},
    owners=OWNERS,
    description="The newest data of every endpoint, healed where its source failed, each row with "
    "its honest fidelity.",
    metadata={
        "dagster/column_schema": table_schema(MARKET_DATA_COLUMNS),
        "dagster/table_name": "healing.snapshot",
    },
)
def market_data(
    context: dg.AssetExecutionContext, healing_client: HealingClientResource
) -> dg.MaterializeResult[Any]:
    """Read every endpoint as a reader does; checks that follow find it all in the tables."""
    import pandas as pd

    reader = healing_client.client()
    # A first run may have to make the tables, and the facts would wait on disk meanwhile.
    reader.found_database(DATABASE_WITHIN_S)
    ends = reader.fetch_many(reader.endpoints)
    if not reader.flush():
        context.log.warning("PostgreSQL is away: what was read waits on disk until it is back.")
    rows = [_data_row(each) for each in ends]
    failed = [each for each in ends if isinstance(each, HealingFailed)]
    for each in failed[:MOST_RECORDS]:
        context.log.warning(f"{each.endpoint}: {each.verdict.evidence}")
    frame = pd.DataFrame(rows, columns=[each.name for each in MARKET_DATA_COLUMNS])
    counts = Counter(frame["fidelity"].fillna("failed"))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(frame),
            "failed": len(failed),
            **{f"fidelity_{name}": int(count) for name, count in sorted(counts.items())},
            "answers": records_table(
                worst_of(rows, lambda row: row["fidelity"] == Fidelity.EXACT), MARKET_DATA_COLUMNS
            ),
        }
    )


@dg.asset(
    name="health_report",
    group_name="health",
    pool=ONE_CORE,
    deps=[market_data],
    tags=LEARN,
    kinds={"postgres", "pandas"},
    owners=OWNERS,
    description="Health of every endpoint over the last day: what failed, what was healed and how.",
    metadata={
        "dagster/column_schema": table_schema(HEALTH_COLUMNS),
        "dagster/table_name": "healing.health_report",
    },
)
def health_report(
    context: dg.AssetExecutionContext, healing: HealingResource
) -> dg.MaterializeResult[Any]:
    """Compute the report, store it, show it as a table and a plot."""
    import pandas as pd

    from healing_pipeline.control.report_run import make_report
    from healing_pipeline.reporting.health import HEALTHY
    from healing_pipeline.reporting.plot import health_plot

    session = healing.session()
    with session.database.connection() as connection:
        report = make_report(connection, session.clock.now(), window_s=24 * 3600.0)
    totals = report.totals
    context.log.info(
        f"{totals.endpoints} endpoints, {totals.open_incidents} with an open incident."
    )
    names = [each.name for each in HEALTH_COLUMNS]
    rows = [{name: getattr(each, name) for name in names} for each in report.rows]
    by_source = (
        pd.DataFrame(rows, columns=names)
        .groupby("source")[
            ["requests", "met_fault", "healed_requests", "reader_errors", "incidents"]
        ]
        .sum()
    )
    lineage = {
        "fidelity_now": [("market_data", "fidelity")],
        "p50_s": [("market_data", "seconds")],
        "p95_s": [("market_data", "seconds")],
    }
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "dagster/column_lineage": dg.TableColumnLineage(
                {
                    column: [
                        dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=name)
                        for asset, name in sources
                    ]
                    for column, sources in lineage.items()
                }
            ),
            "open_incidents": totals.open_incidents,
            "incidents": totals.incidents,
            "requests": totals.requests,
            "reader_errors": totals.reader_errors,
            "healing_rate": "nothing met" if totals.healing_rate is None else totals.healing_rate,
            "by_source": dg.MetadataValue.md(markdown_table(by_source.reset_index())),
            "health": records_table(
                worst_of(rows, lambda row: row["state"] == HEALTHY), HEALTH_COLUMNS
            ),
            "plot": dg.MetadataValue.md(health_plot(report)),
        }
    )


def markdown_table(frame: Any) -> str:
    """Show a small frame as a Markdown table."""
    head = "| " + " | ".join(frame.columns) + " |\n|" + "---|" * len(frame.columns)
    rows = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in frame.to_numpy()]
    return "\n".join([head, *rows])


def _data_row(end: Answer | HealingFailed) -> dict[str, Any]:
    answer = end if isinstance(end, Answer) else None
    return {
        "endpoint": end.endpoint,
        "fidelity": None if answer is None else str(answer.fidelity),
        "as_of": None if answer is None else answer.as_of.isoformat(),
        "provider": None if answer is None else answer.provider,
        "strategy": None if answer is None else answer.strategy,
        "points": 0 if answer is None else len(answer.reading.points),
        "newest": None if answer is None else answer.reading.points[-1].value,
        "seconds": round(end.seconds, 4),
    }


def worst_of(
    rows: list[dict[str, Any]], is_well: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """All rows, or of too many for an event those that are not well, and then others."""
    return rows if len(rows) <= MOST_RECORDS else sorted(rows, key=is_well)[:MOST_RECORDS]


def records_table(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> dg.TableMetadataValue:
    """Rows as a table in the materialisation's metadata."""
    names = [each.name for each in columns]
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _cell(row[name]) for name in names}) for row in rows],
        schema=table_schema(columns),
    )


def _cell(value: Any) -> Any:
    # Dagster stores plain text, not our enums.
    return str(value) if isinstance(value, StrEnum) else value
