"""The statuses that an endpoint may expect, and in what words a set of them is written."""

from __future__ import annotations

REDIRECTS = frozenset(range(300, 400))
EXPECTABLE = frozenset({*range(200, 300), *range(400, 600)})
"""Redirects are followed: what is judged is the status of what they lead to."""


def written(statuses: frozenset[int]) -> tuple[str, ...]:
    """``2xx`` for a whole hundred, numbers for what is left."""
    left, said = set(statuses), []
    for hundred in (2, 4, 5):
        whole = set(range(hundred * 100, hundred * 100 + 100))
        if whole <= left:
            said.append(f"{hundred}xx")
            left -= whole
    return (*said, *map(str, sorted(left)))
