"""Every connection of PostgreSQL taken by others for 30 s, those kept for superusers too.

The server has 40 places. Others take them as a superuser, end every connection that we have, and
take its place at once, again and again, while readers ask and upstreams fail. Then they go. What is
counted is the same as in `postgresql_away`; and in the end, when the pools have let go of what they
do not need, no more connections of ours may be open than before.
"""

from __future__ import annotations

from collections.abc import Callable

from healing_pipeline_tests.chaos.outage_world import Times
from healing_pipeline_tests.chaos.outcome import Outcome
from healing_pipeline_tests.chaos.own_server import OwnServer
from healing_pipeline_tests.chaos.trials.postgresql_away import played_often

PLACES = 40
LENGTH = Times(74.0, 14.0, 30.0)


def run(seed: int, quick: bool, say: Callable[[str], None]) -> list[Outcome]:
    """Play it some times, each at a moment of its own."""
    return [
        played_often(
            "No connection left for 30 s, ours ended",
            OwnServer.used_up,
            seed,
            quick,
            say,
            most_connections=PLACES,
            length=LENGTH,
        )
    ]
