"""The file itself: its text, and the error a program stops with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from healing_pipeline.catalog.problems import Problem
from healing_pipeline.errors import ConfigurationError


def read_text(path: Path) -> str:
    """The configuration's text.

    Raises
    ------
    ConfigurationError
        If there is no such file, or it cannot be read as UTF-8.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            "There is no configuration.", "Run `healing init` to write one.", path=path
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"The configuration cannot be read: {error.strerror}.",
            "Name a file that this user may read.",
            path=path,
        ) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            "The configuration is not UTF-8 text.",
            "Save it with the encoding UTF-8.",
            path=path,
            line=raw.count(b"\n", 0, error.start) + 1,
        ) from error


def raise_first(path: Path, problems: Sequence[Problem]) -> None:
    """Raise the first error of `problems` as a ConfigurationError; do nothing if there is none."""
    errors = [each for each in problems if each.severity == "error"]
    if not errors:
        return
    first, more = errors[0], len(errors) - 1
    rest = f" ({more} more: run `healing check -c {path}`.)" if more else ""
    raise ConfigurationError(first.problem, first.cure + rest, path=path, line=first.line)
