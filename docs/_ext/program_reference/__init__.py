"""What the reference pages list, made from the program itself: a module per page, pure text out.

Nothing here knows Sphinx, so that tests ask the same functions whether anything is missing.
"""

from __future__ import annotations

from importlib import import_module

# The name that a page gives in its fence, and the module here whose `text()` is put there.
MADE = {
    "command-line": "command_line",
    "configuration": "configuration",
    "dagster": "dagster_objects",
    "dagster-yaml": "dagster_yaml",
    "environment": "environment",
    "errors": "errors",
    "failure-classes": "failure_classes",
    "http": "http_paths",
    "http-problems": "http_problems",
    "metrics": "metrics",
    "providers": "providers",
    "strategies": "strategies",
    "tables": "tables",
}


def made(name: str) -> str:
    """The Markdown for a fence ``{generated} name``.

    Raises
    ------
    KeyError
        If nothing goes by that name.
    """
    return str(import_module(f"{__name__}.{MADE[name]}").text())
