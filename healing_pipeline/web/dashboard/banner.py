"""What stands above every page: what is wrong now, worst first; or that nothing is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from healing_pipeline.alerting.messages import GroupState
from healing_pipeline.incidents.detection import Severity
from healing_pipeline.incidents.lifecycle import State
from healing_pipeline.storage.alert_groups import AlertGroup
from healing_pipeline.storage.dashboards import Standing
from healing_pipeline.storage.own_outages import OwnOutage
from healing_pipeline.web.dashboard.parts import Banner, BannerLine
from healing_pipeline.web.dashboard.rendering import AT, clock

MOST_LINES, MOST_NAMES = 4, 3
# A level as a shape and a word: colour says it to those who see it.
_LOOKS: Mapping[str, tuple[str, str]] = {
    Severity.CRITICAL: ("■", "Critical:"),
    Severity.ERROR: ("▲", "Error:"),
    Severity.WARNING: ("◆", "Warning:"),
    Severity.INFO: ("●", ""),
}
_WORST_FIRST = (Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO)


def line(level: str, text: str, href: str | None = None, word: str | None = None) -> BannerLine:
    """One line as it looks at its level."""
    mark, said = _LOOKS[level]
    return BannerLine(str(level), mark, said if word is None else word, text, href)


def banner_of(
    groups: Sequence[AlertGroup],
    standings: Mapping[str, Standing],
    outage: OwnOutage | None,
    *,
    endpoints: int,
    strike: Callable[[str], str],
) -> Banner:
    """What a visitor has to know now.

    Parameters
    ----------
    groups : sequence of AlertGroup
        Those that are not closed.
    strike : callable
        Takes secrets out of a text.
    """
    lines = []
    if outage is not None:
        since = f"since {clock(outage.began_at)}"
        lines.append(
            line(Severity.CRITICAL, f"Our own connection is down {since}; no source is blamed.")
        )
    ranked = sorted(groups, key=lambda each: _WORST_FIRST.index(each.level))
    firing = [each for each in ranked if each.state is GroupState.FIRING]
    lines += [_of_group(each, strike) for each in firing[:MOST_LINES]]
    if len(firing) > MOST_LINES:
        lines.append(
            line(firing[MOST_LINES].level, f"and {len(firing) - MOST_LINES} more", f"{AT}/alerts")
        )
    told = {name for each in firing for name in each.endpoints}
    lines += _of_standings(each for name, each in standings.items() if name not in told)
    recovered = [each for each in groups if each.state is GroupState.RECOVERED]
    lines += [
        line(
            Severity.INFO,
            strike(f"{each.title} (since {clock(each.recovered_at)})"),
            f"{AT}/alerts/{each.id}",
            "Recovered:",
        )
        for each in recovered[:MOST_LINES]
    ]
    if not lines:
        what = "1 endpoint" if endpoints == 1 else f"{endpoints} endpoints"
        lines.append(line(Severity.INFO, f"Nothing is wrong with any of {what}."))
    return Banner(tuple(lines))


def when_away(banner: Banner, away_since: datetime, as_of: datetime | None) -> Banner:
    """The banner of before, below what makes it old."""
    shown = "nothing was read yet" if as_of is None else f"what is shown is of {clock(as_of)}"
    text = f"PostgreSQL does not answer since {clock(away_since)}; {shown}."
    return Banner((line(Severity.ERROR, f"{text} Readers are served all the same."), *banner.lines))


def _of_group(group: AlertGroup, strike: Callable[[str], str]) -> BannerLine:
    seen_to = f"; {group.acknowledged_by} sees to it" if group.acknowledged_by else ""
    text = strike(f"{group.title} (since {clock(group.began_at)}{seen_to})")
    return line(group.level, text, f"{AT}/alerts/{group.id}")


def _of_standings(standings: Iterable[Standing]) -> list[BannerLine]:
    """What nobody was told of yet: it may be over in a moment, and it is visible here."""
    by_state: dict[str, list[str]] = {}
    for each in standings:
        by_state.setdefault(each.state or State.HEALED, []).append(each.endpoint)
    lines = []
    for state, level, what in (
        (State.ESCALATED, Severity.ERROR, "Could not be healed"),
        (State.OPEN, Severity.WARNING, "Failing, not healed yet"),
        (State.HEALING, Severity.WARNING, "Being healed"),
        (State.HEALED, Severity.WARNING, "Served by a fallback while their source fails"),
    ):
        names = by_state.get(state, [])
        if names:
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            lines.append(line(level, f"{what}: {', '.join(sorted(names)[:MOST_NAMES])}{more}"))
    return lines
