"""Tables for people: Markdown for tickets and chats, HTML for browsers and mails.

What stands in a cell may be an upstream's, so it is shown, never followed: no link, picture, name
or markup of its own comes to life. These two are not read back: they say no types.
"""

from __future__ import annotations

import hashlib
import html
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime

from healing_pipeline.reporting.cells import Cell, moment
from healing_pipeline.reporting.columns import Column
from healing_pipeline.reporting.marks import LINE_END, UNSEEN, marked_text
from healing_pipeline.reporting.tables import Table, about_all

_STYLE = """\
:root { color-scheme: light dark }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem }
div { overflow-x: auto; margin-bottom: 2rem }
table { border-collapse: collapse }
caption { text-align: left; font-weight: 600; padding: .3rem 0 }
th, td { border: 1px solid #8886; padding: .25rem .5rem; text-align: left; vertical-align: top }
.number { text-align: right; font-variant-numeric: tabular-nums }"""
# What a page of ours may do, as its own element says it: be styled by this sheet, and nothing else.
_SHEET = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_SHEET}'"


def as_markdown(table: Table, *more: Table) -> str:
    """Tables of GitHub's Markdown, each under its name; numbers to the right, null is empty."""
    tables = (table, *more)
    about = ", ".join(f"{key} {marked(value)}" for key, value in about_all(tables).items())
    parts = [f"{about}\n"] if about else []
    for each in tables:
        sides = ("---:" if _is_number(column) else "---" for column in each.columns)
        lines = [
            f"**{_title(each)}** ({len(each.rows)})",
            "",
            _line(column.name for column in each.columns),
            f"| {' | '.join(sides)} |",
            *(_line(row[column.name] for column in each.columns) for row in each.rows),
        ]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def as_html(table: Table, *more: Table) -> str:
    """A page that needs nothing else: no script, no picture, and its policy forbids both."""
    tables = (table, *more)
    title = html.escape(", ".join(_title(each) for each in tables))
    about = ", ".join(f"{html.escape(k)} {_escaped(v)}" for k, v in about_all(tables).items())
    body = "\n".join(_html_table(each) for each in tables)
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<p>{about}</p>
{body}
</body>
</html>
"""


def _html_table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_class(each)} title="{html.escape(each.description)}">'
        f"{html.escape(each.name)}</th>"
        for each in table.columns
    )
    rows = "\n".join(
        "<tr>"
        + "".join(f"<td{_class(c)}>{_escaped(row[c.name])}</td>" for c in table.columns)
        + "</tr>"
        for row in table.rows
    )
    return (
        f"<div><table>\n<caption>{html.escape(_title(table))} ({len(table.rows)})</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _line(cells: Iterable[Cell]) -> str:
    return f"| {' | '.join(map(marked, cells))} |"


def _title(table: Table) -> str:
    return table.name.replace("_", " ").capitalize()


def _is_number(column: Column) -> bool:
    return column.type in ("int", "float")


def _class(column: Column) -> str:
    return ' class="number"' if _is_number(column) else ""


def _said(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return moment(value) if isinstance(value, datetime) else UNSEEN.sub("\ufffd", str(value))


def _escaped(value: Cell) -> str:
    return LINE_END.sub("<br>", html.escape(_said(value)))


def marked(value: Cell) -> str:
    """A cell of Markdown, on one line and without a life of its own."""
    if not isinstance(value, str):
        return _said(value)
    return marked_text(value)
