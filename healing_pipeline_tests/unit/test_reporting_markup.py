"""Tables for people: all of it is shown, and nothing in it comes to life."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from html.parser import HTMLParser

import structured_rows as rows_of
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from healing_pipeline.reporting.cells import moment
from healing_pipeline.reporting.markup import as_html, as_markdown
from healing_pipeline.reporting.structures import ACTIVE_ALERTS, FALLBACK_CHAINS
from healing_pipeline.reporting.tables import table_of

EXPECTED = {"html", "head", "meta", "title", "style", "body", "p", "div", "table", "caption"}
EXPECTED |= {"thead", "tbody", "tr", "th", "td", "br", "strong"}
HOSTILE = ["<script>x</script>", "![a](http://b/c.png)", "[a](javascript:x)", "<http://a.b>", "`a`"]
HOSTILE += ["**a**", "__a__", "a|b", "\\|", "$a$", "&lt;", "<img src=x onerror=y>", "~~a~~", "_a_"]


class Page(HTMLParser):
    """The tags of a page, and the text of its cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "td":
            self.cells.append("")
            self.inside = True
        if tag == "br" and self.inside:
            self.cells[-1] += "\n"

    def handle_endtag(self, tag):
        if tag == "td":
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.cells[-1] += data


def shown(cell) -> str:
    """A cell as a person sees it, without regard to blanks and to what nobody can see."""
    if cell is None or isinstance(cell, bool):
        return {None: "", True: "yes", False: "no"}[cell]
    return seen(
        cell if isinstance(cell, str) else moment(cell) if hasattr(cell, "hour") else str(cell)
    )


def seen(text: str) -> str:
    unseen = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
    return " ".join(re.sub(unseen, "\ufffd", text).split())


@settings(max_examples=40)
@given(rows_of.tables(ACTIVE_ALERTS, 2), st.sampled_from(HOSTILE))
def test_markdown_and_html_show_every_cell_and_follow_none(table, hostile):
    rows = [{**each, "title": hostile} for each in table.rows]
    table = table_of(table.name, table.columns, rows, table.about)
    expected = [shown(cell) for row in table.rows for cell in row.values()]
    rendered = (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(as_markdown(table))
    )
    for page in (Page(as_html(table)), Page(rendered)):
        assert page.tags <= EXPECTED
        assert [seen(each) for each in page.cells] == expected


def test_several_tables_stand_under_what_holds_for_all():
    about = {"window": "1 day"}
    tables = [
        table_of(each.name, each.columns, [], about) for each in (ACTIVE_ALERTS, FALLBACK_CHAINS)
    ]
    assert as_markdown(*tables).startswith(
        "window 1 day\n\n**Active alerts** (0)\n\n| id | level |"
    )
    assert as_html(*tables).count("<caption>") == 2


def test_the_pages_policy_lets_in_its_own_style_sheet_by_its_hash_and_nothing_else():
    page = as_html(table_of("t", ACTIVE_ALERTS.columns, [], {}))
    sheet = re.search("<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"content=\"default-src 'none'; style-src 'sha256-{digest}'\"" in page
    assert "unsafe" not in page
    assert " style=" not in page
