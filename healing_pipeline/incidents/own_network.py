"""Whether a failure may be our own connection's. Pure: who was heard, and who not, comes as values.

The same notion by which learning leaves minutes out (`own_outage_minutes`): three hosts or more, of
two owners or more, and none of them can be reached. A single one that answers settles it: the
connection is fine and whoever fails is to be blamed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from healing_pipeline.probing.failure_class import FailureClass

# What a cut connection looks like from here. Everything else needs somebody who answers.
LOST = frozenset({FailureClass.NETWORK_ERROR, FailureClass.TIMEOUT})

# With fewer there is no telling our connection from theirs.
LEAST_HOSTS = 3
LEAST_OWNERS = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to be reached.

    Attributes
    ----------
    owner : str
        Whose fault a failure would be: a source, or the name of a witness.
    host : str
    port : int
    """

    owner: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether it is our own connection, and because of what."""

    ours: bool
    evidence: str


def judge(reached: Iterable[Place], silent: Iterable[Place]) -> Judgement:
    """Say whose fault it is that places are silent.

    Parameters
    ----------
    reached : iterable of Place
        Those that answered just now, with whatever: an error is an answer.
    silent : iterable of Place
        Those that were asked just now and could not be reached.
    """
    answering = next(iter(reached), None)
    if answering is not None:
        return Judgement(False, f"{answering.host}:{answering.port} answers")
    places = {(each.host, each.port) for each in silent}
    owners = sorted({each.owner for each in silent})
    if len(places) < LEAST_HOSTS or len(owners) < LEAST_OWNERS:
        return Judgement(False, f"{len(places)} silent hosts of {len(owners)} are too few to tell")
    return Judgement(True, f"none of {len(places)} hosts can be reached: {', '.join(owners)}")
