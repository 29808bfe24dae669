"""Lines over time as the paths of an SVG; a template draws them, and nothing else is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 720, 180
LEFT, RIGHT, TOP, BOTTOM = 52, 8, 8, 22


@dataclass(frozen=True, slots=True)
class Series:
    """A line to draw.

    Attributes
    ----------
    name : str
    style : str
        A class of the style sheet; each has a dash pattern of its own, not only a colour.
    values : sequence of float or None
        One per moment; None leaves a gap.
    """

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """A line as a path, and single points that no line would show."""

    name: str
    style: str
    path: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a template needs to draw.

    Attributes
    ----------
    lines : sequence of Line
    y_ticks, x_ticks : sequence of pairs
        Where, and what stands there.
    summary : str
        The picture in words.
    """

    width: int
    height: int
    left: int
    right: int
    bottom: int
    lines: Sequence[Line]
    y_ticks: Sequence[tuple[float, str]]
    x_ticks: Sequence[tuple[float, str]]
    summary: str


def chart(
    moments: Sequence[datetime],
    series: Sequence[Series],
    *,
    label: Callable[[float], str],
    most: float | None = None,
    least: float = 0.0,
    days: bool = False,
) -> Chart | None:
    """Draw series over the same moments; None where there is no value at all.

    Parameters
    ----------
    label : callable
        How a value is written.
    most, least : float or None
        The upper end, if it is given, and the lower end of the scale.
    days : bool
        Whether a moment is a day, and not a time of day.
    """
    known = [value for each in series for value in each.values if value is not None]
    if not known or not moments:
        return None
    top = most if most is not None else nice_above(max(known))
    bottom = min(least, *known)
    first, last = moments[0].timestamp(), moments[-1].timestamp()
    span = max(last - first, 1.0)
    inner_w, inner_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(at: datetime) -> float:
        return round(LEFT + inner_w * (at.timestamp() - first) / span, 1)

    def y(value: float) -> float:
        part = (value - bottom) / (top - bottom) if top > bottom else 0.0
        return round(TOP + inner_h * (1.0 - min(1.0, part)), 1)

    lines = [
        _line(each, [(x(at), y(v)) if v is not None else None for at, v in _paired(moments, each)])
        for each in series
    ]
    ticks = [bottom + (top - bottom) * part for part in (0.0, 0.5, 1.0)]
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        bottom=HEIGHT - BOTTOM,
        lines=lines,
        y_ticks=[(y(each), label(each)) for each in ticks],
        x_ticks=[
            (x(each), f"{each:%m-%d}" if days else f"{each:%H:%M}") for each in marked(moments)
        ],
        summary="; ".join(_in_words(each, label) for each in series),
    )


def marked(moments: Sequence[datetime]) -> list[datetime]:
    """At most five of the moments, the first and the last among them."""
    last = len(moments) - 1
    return [moments[place] for place in sorted({last * part // 4 for part in range(5)})]


def nice_above(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1.0, 2.0, 2.5, 5.0, 10.0)
    return next((each * power for each in steps if each * power >= value), 10.0 * power)


def _paired(moments: Sequence[datetime], series: Series) -> list[tuple[datetime, float | None]]:
    return list(zip(moments, series.values, strict=True))


def _line(series: Series, points: Sequence[tuple[float, float] | None]) -> Line:
    parts: list[str] = []
    dots: list[tuple[float, float]] = []
    for index, point in enumerate(points):
        if point is None:
            continue
        before = points[index - 1] if index else None
        after = points[index + 1] if index + 1 < len(points) else None
        if before is None and after is None:
            dots.append(point)
        parts.append(f"{'M' if before is None else 'L'}{point[0]:g},{point[1]:g}")
    return Line(series.name, series.style, "".join(parts), dots)


def _in_words(series: Series, label: Callable[[float], str]) -> str:
    known = [value for value in series.values if value is not None]
    if not known:
        return f"{series.name}: nothing known"
    return (
        f"{series.name}: {label(min(known))} to {label(max(known))}, {label(known[-1])} at the end"
    )
