"""The form for a chat or a paging service: a title and a few plain lines, the link at the end."""

from __future__ import annotations

from healing_pipeline.channels.message import Message
from healing_pipeline.channels.telling import Telling, telling
from healing_pipeline.channels.texts import harmless, shortened

# A chat is glanced at; what is longer stands behind the link.
LONGEST = 1500
SHOWN = ("Endpoints", "Root cause", "Evidence", "Began", "Lasted", "Healed by", "Errors",
         "Readers without an answer")  # fmt: skip


def chat_title(message: Message, limit: int) -> str:
    """Level and title in one line of at most `limit` characters."""
    return shortened(harmless(telling(message).subject), limit)


def chat_text(message: Message, limit: int = LONGEST) -> str:
    """The rest in at most `limit` characters; the link is whole, or left out."""
    told = telling(message)
    link = told.link if len(told.link) <= limit else ""
    room = min(limit, LONGEST) - len(link) - 1
    if room <= 0:
        return link
    words = shortened(harmless("\n".join(_lines(told))), room)
    return f"{words}\n{link}".strip()


def _lines(told: Telling) -> list[str]:
    lines = [shortened(told.lead, 400)] if told.lead else []
    lines += [f"{row.label}: {row.value}" for row in told.rows if row.label in SHOWN]
    if told.attempts:
        lines.append("Tried: " + ", ".join(each.strategy for each in told.attempts))
    if told.action:
        lines.append(f"To do: {told.action}")
    if told.earlier:
        lines.append("Not sent before: " + "; ".join(told.earlier))
    return lines
