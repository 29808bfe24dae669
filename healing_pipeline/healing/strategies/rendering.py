"""Numbers that came otherwise, in the form of the question: written, and read back to be sure."""

from __future__ import annotations

from dataclasses import dataclass

from healing_pipeline.healing.strategy import NotHealed, Situation
from healing_pipeline.probing.failure_class import FailureClass
from healing_pipeline.probing.reading import Reading, Unreadable
from healing_pipeline.probing.response import Verdict


@dataclass(frozen=True, slots=True)
class Said:
    """A body and what it says."""

    body: bytes
    reading: Reading


def in_own_form(
    reading: Reading, situation: Situation, came: bytes | None = None
) -> Said | NotHealed:
    """`reading` as the asked provider would say it.

    A reader of this provider parses the body, so the body must say just what the reading does:
    what reads back otherwise is not handed out.

    Parameters
    ----------
    came : bytes or None
        The body that `reading` was read from, where it may be in this form as it is; it is taken
        where none can be written.
    """
    line = situation.request().line
    name = situation.provider.name
    body = situation.provider.rendered(reading, line.path, line.params, situation.now)
    if body is None:
        body = came
    if body is None:
        return _not_healed(f"these numbers cannot be said in the form of {name}")
    back = situation.provider.read(body, line)
    if isinstance(back, Unreadable):
        return _not_healed(f"in the form of {name} the numbers are unreadable: {back.evidence}")
    if not _says(back, reading):
        return _not_healed(f"in the form of {name} the numbers read back as others")
    return Said(body, back)


def _says(back: Reading, meant: Reading) -> bool:
    """Whether what is read back is what was meant, and claims to be no newer."""
    if back == meant:
        return True
    if (back.instrument, back.interval) != (meant.instrument, meant.interval):
        return False
    if back.as_of > meant.as_of:
        return False
    if meant.interval != "now":
        return back.points == meant.points
    # A quote's moment may be said to the second only, or to the day.
    said = {(each.field, each.value): each.at for each in back.points}
    return len(back.points) == len(meant.points) and all(
        (each.field, each.value) in said and said[each.field, each.value] <= each.at
        for each in meant.points
    )


def _not_healed(evidence: str) -> NotHealed:
    return NotHealed(Verdict(FailureClass.INVALID_DATA, evidence))
