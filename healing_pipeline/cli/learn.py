"""`healing learn`: fold what is stored, make a policy of it, go back to an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from healing_pipeline.catalog.problems import did_you_mean
from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.cli.learn_runs import (
    AN_HOUR,
    Place,
    configured,
    learned,
    open_place,
    percent,
)
from healing_pipeline.cli.moments import begin_of, hours_between, moment
from healing_pipeline.control.learning_run import fold, hour_of
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.storage import learning, policies

PRUNED = "their facts were pruned, and what was learned of them stays"


def learn(
    config: Path,
    *,
    from_text: str | None,
    to_text: str | None,
    only: Sequence[str],
    as_json: bool,
) -> int:
    """Fold what is missing, or a span anew; then make a policy. 0 unless it is refused."""
    if (from_text is None) != (to_text is None):
        raise ConfigurationError(
            "--from and --to belong together.", "Give both, or none to learn what is missing."
        )
    if only and from_text is None:
        raise ConfigurationError(
            "--source names what to fold anew, and no span is given.",
            "Add --from and --to, or leave --source out.",
        )
    since, sources = configured(config)
    chosen = tuple(each for each in sources if each in _known(only, sources))
    now = datetime.now(UTC)
    if from_text is not None and to_text is not None:
        span = hours_between(from_text, to_text, since, now)
        with open_place(config) as place:
            _require_facts(place, span[0])
            return learned(place, span, chosen, now, as_json=as_json)
    with open_place(config) as place:
        closed = hour_of(now)
        with place.database.connection() as connection:
            first = learning.first_unfolded(connection, begin_of(since), closed, sources)
        missing = None if first is None else (first, closed)
        # The hour that is still open has no partition in Dagster yet, and teaches all the same.
        fold(place.database, closed, closed + AN_HOUR, sources)
        return learned(place, missing, sources, now, as_json=as_json)


def add_maintenance(
    config: Path, window: tuple[str, str, str], reason: str | None, *, as_json: bool
) -> int:
    """Let a window teach nothing, and learn anew without it."""
    named, from_text, to_text = window
    if not reason:
        raise ConfigurationError(
            "A maintenance window needs a reason.", 'Add --reason "moves to another datacentre".'
        )
    begins_at = moment(from_text, "--maintenance FROM")
    ends_at = moment(to_text, "--maintenance TO")
    if ends_at <= begins_at:
        raise ConfigurationError(
            f"The window ends at {ends_at:%Y-%m-%d %H:%M}, before it begins.",
            "Write SOURCE FROM TO: healing learn --maintenance fred 2026-11-01T02:00 "
            "2026-11-01T04:00.",
        )
    since, sources = configured(config)
    touched = sources if named == "all" else tuple(_known([named], sources, or_all=True))
    now = datetime.now(UTC)
    with open_place(config) as place:
        with place.database.connection() as connection:
            learning.add_maintenance(
                connection, None if named == "all" else named, begins_at, ends_at, reason
            )
        if not as_json:
            out.print(
                f"Nothing of {named} teaches from {begins_at:%Y-%m-%d %H:%M} to "
                f"{ends_at:%Y-%m-%d %H:%M}: {reason}",
                markup=False,
            )
        first = max(hour_of(begins_at), begin_of(since))
        reach = _facts_reach_back_to(place)
        if reach is not None and reach > first:
            err.print(f"Hours before {reach:%Y-%m-%d %H:%M} stay as they are: {PRUNED}.")
            first = reach
        last = min(hour_of(ends_at + AN_HOUR - timedelta(microseconds=1)), hour_of(now))
        fold(place.database, hour_of(now), hour_of(now) + AN_HOUR, sources)
        return learned(
            place, (first, last) if first < last else None, touched, now, as_json=as_json
        )


def roll_back(config: Path, version: int | None, *, as_json: bool) -> int:
    """Put an earlier policy in force again."""
    with open_place(config) as place, place.database.connection() as connection:
        before, now_active = policies.roll_back(connection, version, datetime.now(UTC))
    if as_json:
        print_json({"active": now_active, "was": before})
    else:
        out.print(
            f"Version {now_active} is active again; it was version {before}. It stays until "
            "`healing learn` publishes anew."
        )
    return 0


def history(config: Path, *, as_json: bool) -> int:
    """List the policies that were made."""
    with open_place(config) as place, place.database.connection() as connection:
        found = policies.policy_versions(connection)
    if as_json:
        print_json([asdict(each) for each in found])
        return 0
    table = Table(title=f"{len(found)} policies", box=SIMPLE, pad_edge=False)
    for column in ("version", "as of (UTC)", "status", "events", "heals", "before", "reason"):
        table.add_column(column, overflow="fold")
    for each in found:
        table.add_row(
            f"{each.version}{' *' if each.is_active else ''}",
            f"{each.as_of:%Y-%m-%d %H:%M}",
            each.status,
            str(each.events),
            percent(each.value_new),
            percent(each.value_old),
            Text(each.reason),
        )
    out.print(table)
    return 0


def _require_facts(place: Place, from_at: datetime) -> None:
    reach = _facts_reach_back_to(place)
    if reach is not None and from_at < reach:
        raise ConfigurationError(
            f"--from {from_at:%Y-%m-%d %H:%M} is before {reach:%Y-%m-%d %H:%M}: {PRUNED}.",
            f"Write --from {reach:%Y-%m-%dT%H:00}; `retention: {{detail: ...}}` in the "
            "configuration says how long facts are kept.",
        )


def _facts_reach_back_to(place: Place) -> datetime | None:
    with place.database.connection() as connection:
        return learning.facts_reach_back_to(connection)


def _known(names: Sequence[str], sources: Sequence[str], *, or_all: bool = False) -> Sequence[str]:
    for name in names:
        if name not in sources:
            raise ConfigurationError(
                f"'{name}' is no source of the configuration.",
                f"{did_you_mean(name, sources)}Sources are {', '.join(sources)}"
                f"{'; `all` names them all' if or_all else ''}.",
            )
    return names or sources
