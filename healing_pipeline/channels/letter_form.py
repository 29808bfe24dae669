"""The form for a mailbox: subject, HTML and a text part that says the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from healing_pipeline.channels.message import Message
from healing_pipeline.channels.telling import telling
from healing_pipeline.incidents.detection import Severity

if TYPE_CHECKING:
    from jinja2 import Environment

# White on each has a contrast of 4.5 or more.
COLOURS = {
    Severity.INFO: "#1d4ed8",
    Severity.WARNING: "#92400e",
    Severity.ERROR: "#b91c1c",
    Severity.CRITICAL: "#7f1d1d",
}
OVER = "#15803d"


@dataclass(frozen=True, slots=True)
class LetterForm:
    """A message as a letter."""

    subject: str
    text: str
    html: str


def letter_form(message: Message) -> LetterForm:
    """`message` as a letter; upstreams' words are text in both parts, whatever is in them."""
    told = telling(message)
    colour = OVER if message.is_over else COLOURS[message.level]
    return LetterForm(
        subject=told.subject,
        text=_templates().get_template("alert.txt").render(told=told),
        html=_templates().get_template("alert.html").render(told=told, colour=colour),
    )


@cache
def _templates() -> Environment:
    # Most processes that know this module never write a letter.
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("healing_pipeline.channels"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        auto_reload=False,
    )
