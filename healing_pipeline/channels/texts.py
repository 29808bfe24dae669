"""Text that is safe to send on: upstreams' words hold whatever they like."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from healing_pipeline.alerting.wording import lasted

ELLIPSIS = "..."
_TENTHS_BELOW_S = 10.0


def line(text: object, limit: int = 1000) -> str:
    """One printable line: no line ends, control characters, directions or halves of characters."""
    cut = str(text)[: 4 * limit]
    printable = "".join(each if each.isprintable() else " " for each in cut)
    return shortened(" ".join(printable.split()), limit)


def block(text: object, *, lines: int = 40, limit: int = 4000) -> str:
    """Printable lines, their indents kept; what is too long is cut and says so."""
    found = str(text)[: 4 * limit].splitlines()
    kept = [
        "".join(each if each.isprintable() else " " for each in one).rstrip()
        for one in found[:lines]
    ]
    if len(found) > lines:
        kept.append(ELLIPSIS)
    return shortened("\n".join(kept).strip("\n"), limit)


def shortened(text: str, limit: int) -> str:
    """`text` in at most `limit` characters."""
    if len(text) <= limit:
        return text
    if limit <= len(ELLIPSIS):
        return text[: max(limit, 0)]
    return text[: limit - len(ELLIPSIS)].rstrip() + ELLIPSIS


def harmless(text: str) -> str:
    """`text` for a chat, whose marks and calls in an upstream's words must not act."""
    text = text.replace("<", "\u2039").replace(">", "\u203a").replace("](", "] (")
    return re.sub(r"(?<![\w.])@(?=\w)", "@ ", text)


def moment(at: object) -> str:
    """A moment in UTC to the second, also when it comes as ISO text."""
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            return line(at, 40)
    if not isinstance(at, datetime):
        return line(at, 40)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    try:
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # of the first or the last day that there is, in another zone
        return line(at.isoformat(), 40)


def duration(seconds: float) -> str:
    """How long, as a person says it: ``0.4 s``, ``45 s``, ``12 min 34 s``, ``2 d 4 h``."""
    return f"{seconds:.1f} s" if 0 < seconds < _TENTHS_BELOW_S else lasted(seconds)
