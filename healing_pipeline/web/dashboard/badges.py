"""A badge for a page of somebody's own: a source, how it is, how its day was. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from healing_pipeline.web.dashboard.rendering import share

HEIGHT = 20
# Of a character of 11 px Verdana, on average; the text is fitted to what was reckoned.
_WIDE, _ROOM = 6.6, 10
# White on each has a contrast of 4.5 or more.
_COLOURS: Mapping[str, str] = {
    "live": "#12694a",
    "healed": "#8a5200",
    "healing": "#8a5200",
    "failed": "#a8231f",
    "none": "#5f6670",
}


def badge(name: str, look: str, word: str, uptime: float | None) -> str:
    """An SVG that says ``yahoo | live, 99.9 % up``.

    Parameters
    ----------
    look : str
        ``live``, ``healed``, ``healing``, ``failed`` or ``none``.
    uptime : float or None
        Of the last 24 hours; left out when nothing is known.
    """
    said = word if uptime is None else f"{word}, {share(uptime)} up"
    left, right = _width(name), _width(said)
    label = escape(f"{name}: {said}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" '
        f'role="img" aria-label="{label}"><title>{label}</title>'
        f'<rect width="{left + right}" height="{HEIGHT}" rx="3" fill="#3b4148"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right - 3}z" '
        f'fill="{_COLOURS[look]}"/>'
        '<g fill="#fff" text-anchor="middle" font-size="11" '
        'font-family="Verdana,DejaVu Sans,Geneva,sans-serif">'
        f"{_text(name, left / 2, left)}{_text(said, left + right / 2, right)}</g></svg>"
    )


def _width(text: str) -> int:
    return round(len(text) * _WIDE + _ROOM)


def _text(text: str, middle: float, width: int) -> str:
    return (
        f'<text x="{middle:g}" y="14" textLength="{width - _ROOM}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
    )
