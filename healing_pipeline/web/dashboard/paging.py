"""From where on a long list goes: a cursor in the query that nobody has to make by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import urlencode
from uuid import UUID

from healing_pipeline.storage.pages import Key

Row = TypeVar("Row")

# What PostgreSQL's bigint holds.
_MOST = 2**63 - 1


def number(text: str | None) -> int | None:
    """A row's number; None for what is none: the list then begins with the newest."""
    if text is None or not text.isascii() or not text.isdigit():
        return None
    value = int(text[:20])
    return value if 0 < value <= _MOST else None


def key(text: str | None) -> Key | None:
    """A fact's moment and id; None for what is none."""
    at, _, identity = (text or "").partition("~")
    try:
        moment = datetime.fromisoformat(at)
        return None if moment.tzinfo is None else (moment.astimezone(UTC), UUID(identity))
    except (ValueError, OverflowError):
        return None


def written(at: datetime, identity: UUID) -> str:
    """A key as a query holds it."""
    return f"{at.astimezone(UTC).isoformat()}~{identity}"


def shown(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """The rows of this page, and the last of them where there are more."""
    page = rows[:limit]
    return page, page[-1] if len(rows) > limit else None


def address(path: str, values: Mapping[str, str | None], anchor: str) -> str:
    """A path with a query of what has a value, and where on the page to go."""
    query = urlencode({name: value for name, value in values.items() if value is not None})
    return f"{path}{'?' if query else ''}{query}#{anchor}"
