"""How the site is built from these pages: `make docs`.

Sphinx, because it checks what a site must not get wrong (links, anchors, pages that nobody can
reach) and reads the docstrings of the package; MyST, because the pages are Markdown that reads as
well where it lies.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(ROOT)]

project = "healing_pipeline"
author = "the developers of healing_pipeline"
copyright = author  # noqa: A001 (Sphinx's name for it)
release = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "diagrams",
    "generated",
    "repository_links",
]
exclude_patterns = ["_ext", "_static"]
source_suffix = {".md": "markdown"}

# A link to nowhere, or a page that no list of pages names, fails the build (`-W`).
nitpicky = False
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_fence_as_directive = ["mermaid"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say the types where they help
autodoc_preserve_defaults = True  # `environ=os.environ`, and not what is in it where this is built
napoleon_google_docstring = False
napoleon_use_ivar = True  # a class's attributes as one list
default_role = "py:obj"  # `name` in a docstring is code, and a link where it is on the site

# `make docs-links`. What is ours to start is not there while the documentation is read.
linkcheck_ignore = [
    r"https?://(localhost|127\.0\.0\.1)[:/].*",
    r"https?://([\w-]+\.)*example(\.com)?([:/].*)?$",
]
linkcheck_timeout = 10
linkcheck_report_timeouts_as_broken = True

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d6b52",
        "color-brand-content": "#1d6b52",
        "font-stack": "system-ui, -apple-system, 'Segoe UI', sans-serif",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cc7a6",
        "color-brand-content": "#6cc7a6",
    },
}
# Prompts and shown output are not what one wants to paste.
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
