"""Every command of `healing`, from the program that parses them.

sphinxcontrib-typer draws what a terminal shows, in boxes of a fixed width; tables of our own can be
searched, linked and read on a phone, and are text that a test can ask.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from healing_pipeline.cli.app import app
from program_reference.markdown import as_markdown, code, sentence, table


def commands() -> Iterator[tuple[str, Any]]:
    """Each command that does something, with its whole name: `healing alerts list`."""
    yield from _below("healing", get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for each, found in inner.items():
        if not found.hidden:
            yield from _below(f"{name} {each}", found)


def text() -> str:
    """A section for each command."""
    return "\n\n".join(_section(name, command) for name, command in commands())


def _section(name: str, command: Any) -> str:
    context = command.context_class(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = (each.get_help_record(context) for each in command.params)
    rows = [[_spelled(spelled), _told(told)] for spelled, told in filter(None, records)]
    parts = [f"### {code(name)}", _prose(command.help or ""), f"```text\n{usage}\n```"]
    if rows:
        parts.append(table(["argument or option", "what it says"], rows))
    return "\n\n".join(parts)


def _prose(said: str) -> str:
    return as_markdown(inspect.cleandoc(said))


def _spelled(shown: str) -> str:
    return ", ".join(code(each.strip()) for each in re.split(r", (?=-)| / ", shown))


def _told(shown: str) -> str:
    """The help, and what the program puts in brackets behind it: defaults, variables."""
    told, _, behind = shown.partition("  [")
    notes = []
    for each in filter(None, behind.rstrip("]").split("; ")):
        name, has_value, value = each.partition(": ")
        words = name.replace("env var", "variable").capitalize()
        notes.append(f"{words}: {code(value)}." if has_value else f"{words}.")
    return " ".join([sentence(_prose(told)), *notes])
