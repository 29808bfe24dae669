"""Links out of `docs/` into the repository, which are no pages of the site.

A page is read in the repository as well, where such a link leads to the file. On the site those
that have a page of their own lead to it, and of the others the path is shown. A link to a file that
is not there stays as it is, so that the build fails.
"""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PAGES = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing", "SECURITY.md": "security"}
LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_the_site(text: str, folder: Path) -> str:
    """`text` of a page in `folder`, its links out of the documentation made to fit the site."""

    def fitting(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        if re.match(r"[a-z]+:|/", target):
            return match[0]
        file = (folder / target).resolve()
        if not file.exists() or file.is_relative_to(DOCS) or not file.is_relative_to(ROOT):
            return match[0]
        path = file.relative_to(ROOT).as_posix()
        if path in PAGES:
            return f"[{words}](/{PAGES[path]}.md{anchor})"
        return f"`{path}`" if words.strip("`") == path else f"{words} (`{path}`)"

    return LINK.sub(fitting, text)


def read(app: Sphinx, page: str, source: list[str]) -> None:
    """Change the text of a page before it is parsed."""
    source[0] = on_the_site(source[0], Path(app.srcdir, page).parent)


def read_included(
    app: Sphinx,  # noqa: ARG001 (Sphinx's signature)
    relative_path: Path,
    parent: str,  # noqa: ARG001
    content: list[str],
) -> None:
    """Change the text of a file that a page includes."""
    content[0] = on_the_site(content[0], (DOCS / relative_path).resolve().parent)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", read)
    app.connect("include-read", read_included)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
