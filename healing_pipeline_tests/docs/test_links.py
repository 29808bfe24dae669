"""Every link within the documentation leads to a file that is there, and to a heading in it.

`make docs` tells it of the site's own pages; this is quicker, and reads the pages at the root too.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import pairwise
from urllib.parse import unquote

from markdown_it import MarkdownIt
from page_blocks import ROOT, Link, links, pages, text_of

ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
TERMS = re.compile(r"^```\{(glossary|generated|include)\}", re.MULTILINE)
PAGE = re.compile(r"(?<![\w/.])docs/[\w/]+\.md")
DOCUMENTED = ("docs/how_to", "docs/reference", "docs/explanation", "docs/tutorial")


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors of a page, as GitHub and the site make them of its headings."""
    tokens = MarkdownIt("commonmark").parse(text_of(page))
    seen: Counter[str] = Counter()
    found = set(TARGET.findall(text_of(page)))
    for before, token in pairwise(tokens):
        if before.type == "heading_open":
            words = "".join(each.content for each in token.children or ())
            anchor = re.sub(r"[^\w\- ]", "", words.lower().strip()).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return frozenset(found)


def fault(link: Link) -> str | None:
    """Why a link leads nowhere; None where it does not, or leaves the repository."""
    if ELSEWHERE.match(link.target):
        return None
    name, _, anchor = unquote(link.target).partition("#")
    path = (ROOT / link.page).parent / name if name else ROOT / link.page
    if not path.exists():
        return "there is no such file"
    resolved = path.resolve()
    if not resolved.is_relative_to(ROOT):
        return "it leads out of the repository"
    if not anchor or resolved.suffix != ".md":
        return None
    page = str(resolved.relative_to(ROOT))
    # What the site fills in has headings that only its build knows.
    if anchor in anchors(page) or TERMS.search(text_of(page)):
        return None
    return f"{page} has no heading #{anchor}"


def test_every_link_leads_somewhere():
    wrong = [f"{each.place} ({each.target}): {said}" for each in links() if (said := fault(each))]
    assert not wrong


def test_every_picture_of_the_documentation_is_shown_somewhere():
    shown = {
        ((ROOT / each.page).parent / each.target).resolve()
        for each in links()
        if not ELSEWHERE.match(each.target)
    }
    unseen = [each.name for each in (ROOT / "docs/pictures").iterdir() if each not in shown]
    assert not unseen


def test_a_link_to_nowhere_is_found():
    page = "docs/explanation/learning.md"
    for target in ("none.md", "alerts.md#no-such-heading", "#nor-this", "../../../etc"):
        assert fault(Link(page, 1, target)), target
    assert (
        fault(Link("README.md", 1, "docs/explanation/learning.md#" + sorted(anchors(page))[0]))
        is None
    )


def test_pages_say_what_they_are_first():
    wrong = [
        each
        for each in pages()
        if each.startswith(DOCUMENTED) and not text_of(each).lstrip("(").startswith("# ")
    ]
    assert not wrong


def test_every_page_that_is_named_is_there():
    """In pages, in what programs say, in comments."""
    code = (
        path
        for folder in (
            "healing_pipeline",
            "healing_pipeline_tests",
            "benchmarks",
            "scripts",
            "deploy",
        )
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".html", ".yaml", ".toml", ".sh"}
    )
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (*code, *(ROOT / page for page in pages()), ROOT / "pyproject.toml")
        for name in set(PAGE.findall(path.read_text(encoding="utf-8")))
        if not (ROOT / name).exists()
    ]
    assert not gone
