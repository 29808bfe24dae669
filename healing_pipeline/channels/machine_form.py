"""The form for a program: every field by itself, under names that stay."""

from __future__ import annotations

from typing import Any

from healing_pipeline.channels.message import Message
from healing_pipeline.channels.telling import telling

VERSION = 1


def fields_of(message: Message) -> dict[str, Any]:
    """`message` as JSON values.

    ``alert_id`` with ``group_key`` is what a receiver tells a second copy by; `detail` is as it
    was saved.
    """
    told = telling(message)
    return {
        "form": VERSION,
        "alert_id": message.alert_id,
        "group_id": message.group_id,
        "group_key": message.group_key,
        "message_key": message.key,
        "kind": str(message.kind),
        "level": str(message.level),
        "source": message.source,
        "owners": list(message.owners),
        "at": message.at.isoformat(),
        "began_at": None if message.began_at is None else message.began_at.isoformat(),
        "link": told.link,
        "action": told.action,
        "earlier": list(told.earlier),
        "detail": dict(message.detail),
    }
