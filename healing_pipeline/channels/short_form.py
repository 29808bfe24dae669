"""The form for a phone: one text message with the link whole, never two."""

from __future__ import annotations

from urllib.parse import quote

from healing_pipeline.channels.gsm import BASIC, EXTENSION, SEPTETS, cut, septets, to_gsm
from healing_pipeline.channels.message import Message
from healing_pipeline.channels.telling import telling
from healing_pipeline.channels.texts import line

# Fewer than this of words say nothing: better the link alone is left out.
FEWEST_WORDS = 20


def text_message(message: Message, limit: int = SEPTETS) -> str:
    """`message` in at most `limit` septets of GSM 03.38.

    Words are cut, the link never: half a link leads nowhere. Where an address of the dashboard is
    so long that no words would fit beside it, the words are sent without it.
    """
    told = telling(message)
    words = to_gsm(line(f"{told.label}: {told.title}"))
    facts = [
        f"{row.label}: {row.value}"
        for row in told.rows
        if row.label in {"Readers without an answer", "Lasted"}
    ]
    link = "".join(
        each if each in BASIC or each in EXTENSION else quote(each) for each in told.link
    )
    room = limit - septets(link) - 1
    if room < min(FEWEST_WORDS, septets(words)):
        return cut(words, limit)
    for fact in facts:
        longer = f"{words}. {to_gsm(line(fact))}"
        if septets(longer) <= room:
            words = longer
    return f"{cut(words, room)} {link}"
