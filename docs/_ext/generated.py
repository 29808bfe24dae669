"""Fences of ``{generated}``: there stands what the program says of itself.

A page has its own words, and a fence for what would go out of date. The text replaces the fence
before the page is parsed, so that its headings and links are those of the page.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path

from program_reference import made
from sphinx.application import Sphinx

FENCE = re.compile(r"^```\{generated\} ([\w-]+)\n(?:.*\n)*?```$", re.MULTILINE)


def filled(text: str) -> str:
    """`text` with all its fences filled."""
    return FENCE.sub(lambda match: made(match[1]), text)


def read(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Change the text of a page before it is parsed."""
    source[0] = filled(source[0])


def outdated(app: Sphinx, *_: object) -> list[str]:
    """The pages with fences: the program may have changed where the page has not."""
    return [
        page
        for page in app.env.found_docs
        if FENCE.search(Path(app.env.doc2path(page)).read_text(encoding="utf-8"))
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    # Before the links are made to fit.
    app.connect("source-read", read, priority=400)
    app.connect("env-get-outdated", outdated)
    # Says at each start what it is made of, and is loaded by what a page is asked of.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
