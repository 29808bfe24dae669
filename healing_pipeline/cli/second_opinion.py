"""What commands show of the second opinion, and asking for one on demand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.cli.console import out
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog, state_dir, system_clock
from healing_pipeline.second_opinion.score import score_of
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.joint_stories import JointStory, joint_story
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.second_opinions import (
    HeldBack,
    calls_about,
    cases_between,
    committed_usd,
)

# Putting it on record comes after the answer.
RECORDED_WITHIN_S = 8.0


def calls_document(connection: Any, incident_id: int) -> list[dict[str, Any]]:
    """The questions about a joint incident as JSON values, the oldest first."""
    calls = calls_about(connection, incident_id)
    return [{**asdict(each), "said": each.said} for each in calls]


def show_calls(calls: Sequence[Mapping[str, Any]]) -> None:
    """Print them; nothing when nobody was asked."""
    if not calls:
        return
    out.print("\n[bold]Second opinion[/bold]")
    for each in calls:
        seconds = "" if each["seconds"] is None else f", {each['seconds']:.1f} s"
        out.print(
            f"  {each['at']:%H:%M:%S}  {each['model']} ({each['because']}{seconds}, "
            f"${each['cost_usd']:.4f}): {each['said']}",
            markup=False,
        )


def ask_now(config: Path, incident_id: int) -> str | None:
    """Ask about one incident and wait for the answer; why there is none, or None.

    Raises
    ------
    ConfigurationError
        If no model is configured, or there is nothing to ask about yet.
    """
    catalog = load_catalog(config, os.environ)
    if catalog.second_opinion is None:
        raise ConfigurationError(
            "No model is configured, so nobody can be asked.",
            f"Add the section `second_opinion` to {config}; "
            "docs/explanation/second_opinion.md says how.",
        )
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url) as database:
            bring_up_to_date(database, address.owner_url)
            return _asked(database, catalog, incident_id, system_clock().now())
    finally:
        address.close()


def _asked(database: Database, catalog: Catalog, incident_id: int, now: datetime) -> str | None:
    from healing_pipeline.control.consulting_on_demand import ask_about_story

    with database.connection() as connection:
        story = joint_story(connection, incident_id)
    if story is None:
        raise ConfigurationError(
            f"There is no incident {incident_id}.", "`healing diagnose` lists what fails now."
        )
    _must_have_plan(story)
    asked = ask_about_story(database, catalog, story, now=now, environ=os.environ)
    if isinstance(asked, HeldBack):
        return asked.because
    advice = asked.advice()
    asked.wait(RECORDED_WITHIN_S)
    return advice.because if isinstance(advice, HeldBack) else None


def _must_have_plan(story: JointStory) -> None:
    if not any(each.taken for each in story.plan):
        raise ConfigurationError(
            f"Incident {story.joint.row.id} has no plan to choose from: no heal run of it has "
            "ended with one.",
            "Ask again when one has; `healing diagnose` shows the plan.",
        )


def read_score(
    connection: Any, catalog: Catalog, since: datetime, now: datetime
) -> dict[str, Any] | None:
    """What the second opinion was worth, as JSON values; None where nobody asks and nobody did."""
    cases = cases_between(connection, since, now, now)
    settings = catalog.second_opinion
    if settings is None and not cases:
        return None
    score = score_of(cases)
    return {
        "configured": settings is not None,
        "daily_budget_usd": None if settings is None else settings.daily_budget_usd,
        "committed_today_usd": committed_usd(connection, now),
        **asdict(score),
        "judged": score.judged,
        "verdict": score.verdict,
    }


def show_score(found: Mapping[str, Any] | None) -> None:
    """Print it; nothing where nobody asks and nobody did."""
    if found is None:
        return
    out.print("[bold]Second opinion[/bold]")
    missed = ", ".join(f"{count} {name}" for name, count in sorted(found["no_advice"].items()))
    waited = "" if found["median_s"] is None else f", {found['median_s']:.1f} s in the median"
    out.print(
        f"{found['calls']} questions{waited}, ${found['cost_usd']:.2f}; {found['advices']} advices"
        f"{f'; without: {missed}' if missed else ''}",
        markup=False,
    )
    if found["advices"]:
        out.print(
            f"{found['right']} right, {found['wrong']} wrong, {found['unused']} unused; "
            f"{found['turned']} healed by it after the plan had failed, "
            f"{found['attempts_saved']:+d} attempts saved by its order; root cause as the "
            f"diagnosis's in {found['causes_right']} of {found['causes']}",
            markup=False,
        )
    out.print(found["verdict"], markup=False)
    if found["daily_budget_usd"] is not None:
        out.print(
            f"Today ${found['committed_today_usd']:.4f} of ${found['daily_budget_usd']:g} are "
            "spent or set aside.",
            markup=False,
        )
