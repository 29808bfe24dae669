"""Upstreams' words come out at every end as words: they mark up, call, colour and forge nothing."""

from __future__ import annotations

import ast
import email
import email.policy
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import messages_to_send
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table as ShownTable
from rich.text import Text

import healing_pipeline
from healing_pipeline.channels.chat_form import chat_text, chat_title
from healing_pipeline.channels.letter_form import letter_form
from healing_pipeline.channels.mail_account import MailAccount, Mailbox, compose
from healing_pipeline.channels.short_form import text_message
from healing_pipeline.cli.console import SafeConsole
from healing_pipeline.cli.printable import printable
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.redaction import evidence_line
from healing_pipeline.probing.response import Verdict
from healing_pipeline.reporting.marks import marked_list, marked_table
from healing_pipeline.web.dashboard.rendering import environment

ACCOUNT = MailAccount(
    host="127.0.0.1",
    port=25,
    mode="insecure",
    user=None,
    password=None,
    sender=Mailbox("Alerts", "alerts@healing.test"),
    to=(Mailbox("", "oncall@healing.test"),),
)
PACKAGE = Path(healing_pipeline.__file__).parent
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "</title></style></pre><script>x</script>",
    "javascript:alert(1)",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "<http://evil.example>",
    "http://evil.example/ www.evil.example",
    "a | b | c\n| d |",
    "**bold** `code` ~~gone~~",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mred",
    "\x1b]52;c;ZXZpbA==\x07",
    "over\rwritten\b\b\b",
    "line one\nhealing: all is well\n2026-03-02 12:00:00 INFO forged",
    "forged\u2028line\u2029and\x85another",
    "\u202etxt.exe\u202c \u2066inner\u2069",
    "[red]markup[/red] [/] [link=http://evil.example]x[/link]",
    "\\[red]slash",
    "[bold",
    "@everyone @here <!channel> <@U123> <!here|here>",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7}",
    "=cmd|' /C calc'!A0",
    "Subject: evil\r\nBcc: evil@evil.example",
    "\x00\ufeff\u200b\ud800",
)
words = st.sampled_from(HOSTILE) | st.lists(st.sampled_from(HOSTILE) | st.text(), max_size=4).map(
    "".join
)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "p", "div", "table", "caption", "thead"),
    *("tbody", "tr", "th", "td", "br", "a", "h1", "h2", "h3", "strong", "em", "span", "ul", "li"),
    *("ol", "pre", "code", "hr", "b"),
}


def with_words(text: str):
    """A message all of whose free text is an upstream's."""
    detail = {
        **messages_to_send.FIRED.detail,
        "evidence": text,
        "root_cause": text,
        "action": text,
        "attempts": [{"strategy": text, "because": text, "evidence": text, "seconds": 0.1}],
        "left_out": [{"strategy": text, "because": text}],
        "endpoints": [text],
    }
    return replace(messages_to_send.FIRED, title=text, body=text, detail=detail, earlier=(text,))


class Tags(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {(name, value or "") for name, value in attrs}


def assert_tame(page: str) -> None:
    found = Tags(page)
    assert found.tags <= TAGS
    assert not {name for name, _ in found.attributes if name.startswith("on")}
    links = {value for name, value in found.attributes if name in {"href", "src"}}
    assert all(each.startswith("http://healing.test:8888") for each in links)


@settings(max_examples=30)
@given(words)
def test_a_letter_shows_them_and_its_head_holds_one_line_each(text):
    letter = letter_form(with_words(text))
    assert_tame(letter.html)
    for part in (letter.subject, letter.text):
        assert not CONTROLS.search(part)
    assert letter.subject.isprintable()


@given(words)
@settings(max_examples=30)
def test_a_letter_goes_to_those_it_is_meant_for_whatever_stands_in_it(text):
    raw = compose(with_words(text), ACCOUNT, "mail").as_bytes()
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read["Bcc"] is None
    assert "evil.example" not in str(read["To"])
    assert len(read.get_all("Subject")) == 1


@settings(max_examples=30)
@given(words)
def test_a_chat_calls_nobody_and_makes_no_link(text):
    for part in (chat_title(with_words(text), 200), chat_text(with_words(text))):
        assert not CONTROLS.search(part)
        assert "<" not in part
        assert "](" not in part
        assert not re.search(r"(?<![\w.])@\w", part)


@settings(max_examples=30)
@given(words)
def test_a_text_message_is_one_line_of_the_phones_own_alphabet(text):
    sent = text_message(with_words(text))
    assert sent.isprintable()
    assert "\n" not in sent


@settings(max_examples=30)
@given(words)
def test_dagsters_pages_show_them_in_one_cell_each(text):
    table = marked_table(("strategy", "because"), [("plain", text), ("other", "well")])
    renderer = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    page = renderer.render(f"{table}\n\n{marked_list([text])}\n")
    assert_tame(page)
    assert page.count("<tr>") == 3
    assert page.count("<td>") == 4
    assert page.count("<li>") == 1
    assert not re.search("<(a|img|script|code|strong|em|s)\\b", page)


@settings(max_examples=30)
@given(words)
def test_a_terminal_shows_them_and_obeys_nothing(text):
    plain = io.StringIO()
    console = SafeConsole(file=plain, width=200, color_system=None)
    shown = ShownTable(title=Text(text))
    shown.add_column(Text(text))
    shown.add_row(Text(text))
    console.print(shown)
    console.print(text, markup=False)
    console.print(text, markup=False, soft_wrap=True)
    console.print(f"[bold]{'x'}[/bold]", Text(text))
    assert not CONTROLS.search(plain.getvalue())
    assert not CONTROLS.search(printable(text))


def test_colours_of_our_own_are_kept_and_those_of_others_are_not():
    coloured = io.StringIO()
    console = SafeConsole(file=coloured, width=80, force_terminal=True, color_system="standard")
    console.print("[red]ours[/red]")
    console.print("\x1b[32mtheirs", markup=False)
    assert "\x1b[31mours" in coloured.getvalue()
    assert "\x1b[32m" not in coloured.getvalue()


@given(words)
def test_evidence_is_one_printable_line_whoever_wrote_it(text):
    assert evidence_line(text).isprintable()
    assert Verdict(FailureClass.OK, text).evidence.isprintable()


def test_every_template_escapes_and_runs_nothing_of_its_own():
    """No `safe`, no script or style in the page, no handler: what the policy would refuse too."""
    found = [
        *(PACKAGE / "web").rglob("templates/*.html"),
        *(PACKAGE / "channels").rglob("templates/*.html"),
    ]
    assert len(found) > 8
    for path in found:
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+false|Markup\(", source), path
        assert not re.search(r"<script(?![^>]*\bsrc=)", source), path
        assert not re.search(r"\son[a-z]+\s*=", source), path
        if "web" in path.parts:
            assert not re.search(r"\sstyle\s*=", source), path
    assert environment().autoescape is True


@pytest.mark.parametrize("folder", ["cli", "drill", "launcher", "stack", "simulator"])
def test_only_the_safe_console_prints_what_others_wrote(folder):
    for path in (PACKAGE / folder).rglob("*.py"):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in {"rich", "rich.console"}:
                assert not {each.name for each in node.names} & {"Console", "print"}, path
