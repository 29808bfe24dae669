"""What JSON allows in the letter and no reader can keep: refused while it is parsed."""

from __future__ import annotations

from collections import Counter
from typing import Any, NoReturn

from healing_pipeline.reporting.cells import UnreadableError


def unlike_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, for `json.loads(object_pairs_hook=...)`; a name that stands twice is refused."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise UnreadableError(f"{twice[:40]!r} stands twice in one object.", "Name it once.")
    return made


def refuse_constant(said: str) -> NoReturn:
    """Refuse ``NaN`` and the infinities, for `json.loads(parse_constant=...)`."""
    raise UnreadableError(f"{said} is no JSON.", "Write null where there is no number.")
