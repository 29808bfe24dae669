"""Our own exceptions."""

from __future__ import annotations

from inspect import isclass

from healing_pipeline import errors
from program_reference.markdown import code, docstring, sentence, table


def text() -> str:
    """A table of the classes in `errors`."""
    rows = [
        [
            code(name),
            code(each.__bases__[0].__name__),
            sentence(docstring(each).split("\n\n", 1)[0]),
        ]
        for name, each in vars(errors).items()
        if isclass(each) and issubclass(each, Exception)
    ]
    return table(["error", "is a", "what it says"], rows)
