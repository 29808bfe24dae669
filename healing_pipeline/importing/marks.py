"""Variables in another tool's texts: ``${NAME}`` and ``$NAME``, as Gatus takes them.

While a text is taken apart a variable stands between two characters that no file holds, since they
cannot be printed.
"""

from __future__ import annotations

import re

_BEGIN, _END = "\ue000", "\ue001"
_WRITTEN = re.compile(r"\$\$|\$\{([^{}]{0,200})\}|\$([A-Za-z_][A-Za-z0-9_]{0,199})")
_MARK = re.compile(f"{_BEGIN}([^{_END}]*){_END}")


def marked(text: str) -> str:
    """`text` with its variables marked; ``$$`` is a dollar."""

    def mark(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return f"{_BEGIN}{match[1] if match[1] is not None else match[2]}{_END}"

    return _WRITTEN.sub(mark, text)


def has_variable(text: str) -> bool:
    """Whether a marked text holds a variable."""
    return _BEGIN in text


def variable_in(text: str) -> str | None:
    """The variable that a marked text is, and nothing else; None where it is more or less."""
    match = _MARK.fullmatch(text)
    return None if match is None else match[1]


def variables_in(text: str) -> list[str]:
    """All variables of a marked text."""
    return _MARK.findall(text)


def readable(text: str) -> str:
    """A marked text for people."""
    return _MARK.sub(lambda match: f"${{{match[1]}}}", text)
