"""A key's calls of a minute shared out among processes, so that their sum is never over its quota.

Nobody asks anybody before a call: each process has a share, and makes no more calls than that
within any minute. Shares follow demand, and one that shrinks is given to another only as the calls
of the last minute fall out of it. Pure: what others hold comes as an argument.

Considered and left aside: a token bucket in Redis, asked before each call. It lets no more through
than the shares do, and costs each call a round trip and the data path another thing to wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Key = tuple[str, str]
"""A source and the name of one of its keys."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a process makes of a key.

    Attributes
    ----------
    quota : int
        Calls of a minute, of all processes together.
    used : int
        Calls of the last minute, this process's.
    wanted : int
        Calls of a minute that it has use for.
    """

    quota: int
    used: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What another process has of a key.

    Attributes
    ----------
    process : str
    held : int
        Its share, or what it used of the last minute where that is more.
    wanted : int
        0 when it has left, and only holds what it used.
    """

    process: str
    held: int
    wanted: int


def fair_shares(quota: int, wanted: Sequence[int]) -> list[int]:
    """Share a quota out: what is wanted, the small wishes first; the rest in equal parts.

    Nobody gets less than an equal part who wants as much (max-min fairness), and nothing is left.
    """
    count, left = len(wanted), quota
    shares = [0] * count
    for place, index in enumerate(sorted(range(count), key=lambda each: wanted[each])):
        shares[index] = min(wanted[index], left // (count - place))
        left -= shares[index]
    for index in range(count):
        shares[index] += left // count + (index < left % count)
    return shares


def next_share(process: str, use: Use, others: Sequence[Claim]) -> tuple[int, int]:
    """What a process may have now, and what is its fair share: it has to wait for the difference.

    Parameters
    ----------
    process : str
        Its own name, which is none of the others'.
    """
    there = ((each.process, each.wanted) for each in others if each.wanted > 0)
    wishes = sorted([(process, use.wanted), *there])
    fair = fair_shares(use.quota, [wanted for _, wanted in wishes])
    mine = fair[[name for name, _ in wishes].index(process)]
    return min(mine, max(0, use.quota - sum(each.held for each in others))), mine
