"""What the documentation shows: its fenced blocks, its inline code and its links, with their lines.

A CommonMark parser finds them, so that a block in a list or behind four backticks is one too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]

# Directives whose content is code in the language that follows them.
CODE_DIRECTIVES = {"code", "code-block", "sourcecode"}
# Directives of the site whose content is words, and may hold blocks of its own.
WORDS = {
    *("admonition", "attention", "caution", "danger", "deprecated", "dropdown", "error", "hint"),
    *("important", "note", "seealso", "tip", "versionadded", "versionchanged", "warning"),
}
DIRECTIVE = re.compile(r"\{(?P<name>[\w:.-]+)\}\s*(?P<argument>.*)")
OPTION = re.compile(r":[\w-]+:")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced or indented block.

    Attributes
    ----------
    page : str
        Its file, from the repository's root.
    line : int
        Of its first line of content, counted from 1.
    language : str
        As it is written behind the fence; empty where nothing is.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Inline:
    """Code within a line of prose."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Link:
    """A link or a picture, as it is written."""

    page: str
    line: int
    target: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[str, ...]:
    """Every page that people read, from the repository's root; generated ones are not there."""
    at_root = [each for each in ROOT.glob("*.md") if each.name != "CHANGELOG.md"]
    below = [
        each
        for folder, pattern in (
            *(("docs", "**/*.md"), ("deploy", "**/*.md")),
            *(("examples", "**/*.md"), ("benchmarks", "**/*.md")),
        )
        for each in (ROOT / folder).glob(pattern)
    ]
    found = (each.relative_to(ROOT) for each in [*at_root, *below])
    return tuple(sorted(str(each) for each in found if "generated" not in each.parts))


def blocks() -> tuple[Block, ...]:
    """All blocks of all pages, in their order."""
    return tuple(block for page in pages() for block in blocks_of(page))


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """The blocks of one page."""
    return tuple(blocks_in(text_of(page), page))


def blocks_in(text: str, page: str, above: int = 0) -> Iterator[Block]:
    """The blocks of a text that begins below `above` lines of `page`."""
    for token in MarkdownIt("commonmark").parse(text):
        if token.type not in {"fence", "code_block"} or token.map is None:
            continue
        line = above + token.map[0] + (2 if token.type == "fence" else 1)
        language = token.info.strip()
        directive = DIRECTIVE.fullmatch(language)
        if directive is None:
            yield Block(page, line, language.split(" ")[0], token.content)
        elif directive["name"] in CODE_DIRECTIVES:
            yield Block(page, line, directive["argument"].strip(), _without_options(token.content))
        elif directive["name"] in WORDS:
            yield from blocks_in(token.content, page, line - 1)


def _without_options(content: str) -> str:
    lines = content.splitlines(keepends=True)
    while lines and (OPTION.match(lines[0]) or not lines[0].strip()):
        lines.pop(0)
    return "".join(lines)


@cache
def inline_code() -> tuple[Inline, ...]:
    """Code in the prose of all pages."""
    return tuple(
        Inline(page, line, token.content)
        for page in pages()
        for line, token in _inline_tokens(page)
        if token.type == "code_inline"
    )


def links() -> tuple[Link, ...]:
    """All links and pictures of all pages."""
    return tuple(
        Link(page, line, str(target))
        for page in pages()
        for line, token in _inline_tokens(page)
        if (target := token.attrs.get("href") or token.attrs.get("src")) is not None
    )


@cache
def _inline_tokens(page: str) -> tuple[tuple[int, Token], ...]:
    parser = MarkdownIt("commonmark").enable("table")
    return tuple(
        (block.map[0] + 1 if block.map else 1, token)
        for block in parser.parse(text_of(page))
        if block.type == "inline"
        for token in block.children or ()
    )


@cache
def text_of(page: str) -> str:
    """What stands in a page."""
    return (ROOT / page).read_text(encoding="utf-8")
