"""Pictures of what was learned: which remedy works where, and how healing went day by day.

matplotlib is imported inside: whoever imports this module may be a heal run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from healing_pipeline.learning.policy import Policy

# Stored with the event; past this a picture would weigh on Dagster's event log.
MOST_BYTES = 100_000

# Colours that differ for colour-blind readers too (Okabe and Ito, 2008).
HEALED, FIRST, SHARE = "#009E73", "#0072B2", "#E69F00"


@dataclass(frozen=True, slots=True)
class LearningDay:
    """How healing went on one day.

    Attributes
    ----------
    healed : float or None
        Readers' requests that met a healable failure and were answered, of those that met one.
    first_try : float or None
        Attempts that healed, of all attempts: how seldom a strategy is tried in vain.
    headroom : float or None
        Where the day's policy stands between no learning (0) and hindsight (1); may leave them.
    """

    day: date
    healed: float | None = None
    first_try: float | None = None
    headroom: float | None = None


def heat_map(policy: Policy, source: str) -> str:
    """`heat_map_png` as Markdown with the picture embedded; a sentence where there is none."""
    picture = heat_map_png(policy, source)
    if picture is None:
        return f"Nothing was tried at {source} yet."
    return _markdown(picture, f"what heals at {source}")


def learning_curve(days: Sequence[LearningDay]) -> str:
    """`learning_curve_png` as Markdown with the picture embedded; a sentence without days."""
    picture = learning_curve_png(days)
    if picture is None:
        return "No day with a failure is over yet."
    return _markdown(picture, "healing day by day")


def heat_map_png(policy: Policy, source: str) -> bytes | None:
    """Failure class by strategy at one source, as a PNG; None where nothing was tried.

    Each cell says how likely the strategy heals, in per cent, and in brackets of how many attempts
    that is known; empty where nothing was tried.
    """
    rows = {each: rates for (name, each), rates in policy.inner.items() if name == source}
    if not rows:
        return None
    classes = sorted(rows)
    strategies = sorted({name for rates in rows.values() for name in rates})
    figure, axes = _figure(1.6 + 0.75 * len(strategies), 1.9 + 0.42 * len(classes))
    nothing = float("nan")
    grid = [
        [rows[each][name].p if name in rows[each] else nothing for name in strategies]
        for each in classes
    ]
    axes.imshow(grid, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto")
    for y, each in enumerate(classes):
        for x, name in enumerate(strategies):
            rate = rows[each].get(name)
            if rate is not None:
                colour = "black" if rate.p > 0.6 else "white"
                text = f"{100 * rate.p:.0f}\n({rate.tries})"
                axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=6)
    axes.set_xticks(range(len(strategies)), strategies, rotation=35, ha="right", fontsize=7)
    axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set_title(f"{source}: chance to heal, per cent (attempts)", fontsize=9)
    return _png(figure)


def learning_curve_png(days: Sequence[LearningDay]) -> bytes | None:
    """Healing day by day, as a PNG; None without days."""
    if not days:
        return None
    figure, axes = _figure(7.5, 3.2)
    for label, colour, marker, values in (
        ("readers healed", HEALED, "o", [each.healed for each in days]),
        ("attempts that healed", FIRST, "s", [each.first_try for each in days]),
        ("share of the headroom", SHARE, "^", [each.headroom for each in days]),
    ):
        known = [
            (each.day, value) for each, value in zip(days, values, strict=True) if value is not None
        ]
        if known:
            axes.plot(
                [day for day, _ in known],
                [value for _, value in known],
                color=colour,
                marker=marker,
                markersize=3,
                linewidth=1.2,
                label=label,
            )
    axes.set_ylim(min(0.0, *axes.get_ylim()), 1.05)
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=7)
    axes.tick_params(axis="x", rotation=30)
    axes.set_title(
        "Headroom: from the order without learning (0) to the best in hindsight (1)", fontsize=8
    )
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    return _png(figure)


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _markdown(image: bytes, title: str) -> str:
    if len(image) > MOST_BYTES:
        return f"The picture of {title} is too large to store; see `healing report --pictures`."
    return f"![{title}](data:image/png;base64,{base64.b64encode(image).decode()})"
