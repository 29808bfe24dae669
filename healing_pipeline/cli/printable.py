"""Text and numbers as a terminal shows them."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` without what a terminal obeys: escape sequences, and marks that turn text around.

    Upstreams' words are shown. An escape sequence among them could rename the window, hide a line
    or write to the clipboard.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 source``, ``5 sources``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
