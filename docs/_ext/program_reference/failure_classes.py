"""The failure classes, with what each means for a source's health."""

from __future__ import annotations

from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass
from program_reference.markdown import attributes, code, table
from program_reference.strategies import failure_classes_of


def text() -> str:
    """A table of what each is and whose fault; below it, what may help against each."""
    told = attributes(FailureClass)
    failures = [each for each in FailureClass if each.is_failure]
    rows = [
        [
            code(each),
            told[each.name],
            "the caller's" if each.is_callers_fault else "the source's",
        ]
        for each in failures
    ]
    helping = [f"- {code(each)}: {', '.join(may_help(each)) or 'nothing'}" for each in failures]
    return "\n\n".join(
        [
            table(["class", "what it is", "whose"], rows),
            "## What may help",
            "In the order in which they are tried untaught; each says itself whether it fits "
            "([strategies](strategies.md)).",
            "\n".join(helping),
        ]
    )


def may_help(failure: FailureClass) -> list[str]:
    """The strategies that may help against it, as code."""
    return [code(each.name) for each in STRATEGIES if failure in failure_classes_of(each)]
