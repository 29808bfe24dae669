"""Upstreams' words in Markdown: shown, never followed.

Dagster's pages, tickets and chats make pictures, links and names of what looks like them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

# Line ends have a form of their own; other control characters, and what turns text around, have
# none that is the same everywhere.
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LINE_END = re.compile("\r\n?|[\n\u2028\u2029]")
_MARKS = re.compile(r"[\\`*\[\]~$!#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# Of these a viewer makes links without being asked, and cells; a backslash would not keep it.
_STARTS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=www)\.|[@|]", re.IGNORECASE)


def marked_text(text: str) -> str:
    """Text in a cell or a line of Markdown, on one line and without a life of its own."""
    seen = UNSEEN.sub("\ufffd", text)
    escaped = html.escape(_MARKS.sub(r"\\\g<0>", seen), quote=False)
    escaped = _STARTS.sub(lambda found: f"&#{ord(found[0])};", escaped)
    return LINE_END.sub("<br>", escaped).replace("\t", " ")


def marked_table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table of Markdown whose cells are text."""
    names = list(head)
    lines = [names, ["---"] * len(names)]
    lines += [[marked_text(str(each)) for each in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def marked_list(items: Iterable[str]) -> str:
    """A list of Markdown whose items are text."""
    return "\n".join(f"- {marked_text(each)}" for each in items)
