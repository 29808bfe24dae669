"""The failure classes, with what each means for a source's health."""

from __future__ import annotations

from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.failure_class import FailureClass
from program_reference.markdown import attributes, code, table
from program_reference.strategies import failure_classes_of


def text() -> str:
    """A table: what it is, whose fault, and what may help."""
    told = attributes(FailureClass)
    may_help: dict[FailureClass, list[str]] = {each: [] for each in FailureClass}
    for strategy in STRATEGIES:
        for each in failure_classes_of(strategy):
            may_help[each].append(code(strategy.name))
    rows = [
        [
            code(each),
            told[each.name],
            "the caller's" if each.is_callers_fault else "the source's",
            ", ".join(may_help[each]) or "nothing",
        ]
        for each in FailureClass
        if each.is_failure
    ]
    return table(["class", "what it is", "whose", "what may help"], rows)
