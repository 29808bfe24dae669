"""Tables, code and docstrings as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell may hold Markdown and no line's end."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(each) for each in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("|", "\\|")


def code(text: object) -> str:
    """A text in backticks, whatever is in it."""
    shown = str(text)
    fence = "``" if "`" in shown else "`"
    return f"{fence}{shown}{fence}"


def sentence(text: str) -> str:
    """With a full stop, unless it ends a sentence already."""
    stripped = text.strip()
    return stripped if not stripped or stripped[-1] in ".!?:" else f"{stripped}."


def docstring(documented: object) -> str:
    """The prose of a docstring, its sections left out, as Markdown."""
    prose = re.split(r"\n[A-Z][a-z]+\n-{3,}\n", inspect.getdoc(documented) or "")[0]
    return as_markdown(prose)


def as_markdown(said: str) -> str:
    """What is code in reStructuredText, and so in our docstrings, as code."""
    return re.sub(r"``(.+?)``", r"`\1`", said).strip()


def attributes(documented: type) -> dict[str, str]:
    """What `Attributes`, or `Parameters`, of a numpy docstring says of each, by name."""
    found = re.search(
        r"\n(?:Attributes|Parameters)\n-{3,}\n(.*?)(?=\n[A-Z][a-z]+\n-{3,}\n|\Z)",
        inspect.getdoc(documented) or "",
        re.DOTALL,
    )
    told: dict[str, str] = {}
    names: list[str] = []
    for line in (found[1] if found else "").splitlines():
        if line and not line[0].isspace():
            names = [each.strip() for each in line.partition(":")[0].split(",")]
        else:
            for name in names:
                told[name] = f"{told.get(name, '')} {line.strip()}".strip()
    return {name: as_markdown(said) for name, said in told.items()}
