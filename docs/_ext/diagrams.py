"""Diagrams in fences of `mermaid`, drawn by the reader's browser with a script of the site's own.

sphinxcontrib-mermaid loads its script as a module, from a foreign host or over HTTP only; these
pages are also opened as files, and must not tell anybody who reads them. Where the script was not
fetched (`make docs` says so) the diagram's text is shown, which can be read as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

# Fetched by `make docs`: scripts/fetch_mermaid.py.
SCRIPT = Path(__file__).parents[2] / "build" / "mermaid" / "mermaid.min.js"
START = (
    "const dark = document.body.dataset.theme === 'dark' || (document.body.dataset.theme !== "
    "'light' && matchMedia('(prefers-color-scheme: dark)').matches);"
    "mermaid.initialize({startOnLoad: true, securityLevel: 'strict', "
    "theme: dark ? 'dark' : 'neutral'});"
)


class Mermaid(SphinxDirective):
    """A diagram, as the text that the script draws."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Show the text, marked as a diagram."""
        text = nodes.Text("\n".join(self.content)).astext()
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return [nodes.raw("", f'<pre class="mermaid">{escaped}</pre>', format="html")]


def add_script(app: Sphinx, _page: str, _template: str, _context: Any, doctree: Any) -> None:
    """Load the script on the pages that have a diagram."""
    has_diagram = doctree is not None and any(
        'class="mermaid"' in each.astext() for each in doctree.findall(nodes.raw)
    )
    if has_diagram and SCRIPT.exists():
        app.add_js_file(SCRIPT.name)
        app.add_js_file(None, body=START, priority=900)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    if SCRIPT.exists():
        app.config.html_static_path.append(str(SCRIPT))  # type: ignore[attr-defined]
    app.add_directive("mermaid", Mermaid)
    app.connect("html-page-context", add_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
