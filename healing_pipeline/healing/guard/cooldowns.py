"""Who was told to wait: what one process learns of it, and what it takes over from others.

Only refusals are shared: a provider that limits, blocks or rejects a key does so whoever asks. That
a host is slow or out of reach is seen from one machine, and may be that machine's network: those
breakers stay each process's own. A refusal without a key counts for a machine's address; it is
shared where the upstream said for how long, and else is not, since the others may go out by another
address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from healing_pipeline.healing.guard.breaker import Breaker
from healing_pipeline.healing.guard.ends import REFUSALS
from healing_pipeline.healing.guard.paths import GuardedSource, Path
from healing_pipeline.probing.failure_class import FailureClass

# A longer Retry-After is not believed: who asks for an hour is asked again after a minute.
LONGEST_S = 60.0

# Two processes hear of the same end in moments that differ by what the news take.
NEAR_S = 1.0

# So far apart may two machines see midnight for a word about today's quota to be one about today.
SAME_DAY_S = 600.0

MET_BY_ANOTHER = "met by another process"


class Kind(StrEnum):
    """What waits."""

    KEY = "key"
    HOST = "host"
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Cooldown:
    """A key, a host or the day's quota of a key that is not to be asked until a moment.

    Attributes
    ----------
    name : str
        Of the key or the host, as the configuration has it; never a secret.
    until : float
        Monotonic seconds of the process that holds this value.
    """

    source: str
    kind: Kind
    name: str
    cause: FailureClass
    until: float


@dataclass(frozen=True, slots=True)
class CooldownEnd:
    """What a call has shown to work again.

    Attributes
    ----------
    began : float
        When that call began; monotonic seconds of the process that holds this value.
    """

    source: str
    kind: Kind
    name: str
    began: float


CooldownNews = Cooldown | CooldownEnd
Tell = Callable[[CooldownNews], None]


class Untold:
    """News that wait to be told, one of each thing: the newest, and of cooldowns the longest."""

    def __init__(self) -> None:
        self._news: dict[tuple[str, Kind, str], CooldownNews] = {}

    def __len__(self) -> int:
        return len(self._news)

    def put(self, news: CooldownNews) -> None:
        """Let news wait."""
        known = self._news.get((news.source, news.kind, news.name))
        self._news[news.source, news.kind, news.name] = _to_tell(known, news)

    def take(self) -> list[CooldownNews]:
        """All that wait, which now do so no more."""
        taken, self._news = list(self._news.values()), {}
        return taken

    def put_back(self, taken: Iterable[CooldownNews]) -> None:
        """Let what could not be told wait again; what came meanwhile is newer."""
        for each in taken:
            newer = self._news.get((each.source, each.kind, each.name))
            known = each if newer is None else _to_tell(each, newer)
            self._news[each.source, each.kind, each.name] = known


def _to_tell(known: CooldownNews | None, newer: CooldownNews) -> CooldownNews:
    if isinstance(known, Cooldown) and isinstance(newer, Cooldown) and known.until > newer.until:
        return known
    return newer


@dataclass(frozen=True, slots=True)
class Standing:
    """How a way stood before a call of it ended."""

    host_until: float | None
    key_until: float | None
    is_marked: bool

    @classmethod
    def of(cls, path: Path) -> Standing:
        """How it stands now."""
        return cls(
            path.host.until,
            None if path.key is None else path.key.until,
            path.ledger is not None and path.ledger.is_marked_spent,
        )


def learned(
    source: str,
    path: Path,
    before: Standing,
    *,
    began: float,
    now: float,
    wall_now: datetime,
    asked_s: float,
) -> Iterator[CooldownNews]:
    """What the end of a call has taught that holds for every process.

    Parameters
    ----------
    before : Standing
        Of the way, before the end of the call was counted.
    began, now : float
        When the call began, and ended.
    asked_s : float
        For how long the upstream asked to be left alone; 0 when it said nothing.
    """
    host, key, ledger = path.host, path.key, path.ledger
    asked = now + asked_s if asked_s > 0 else None
    yield from _of_breaker(source, Kind.HOST, path.way.host.name, host, before.host_until, began)
    if host.until != before.host_until and host.cause in REFUSALS and asked is not None:
        yield Cooldown(source, Kind.HOST, path.way.host.name, host.cause, asked)
    if key is None or path.way.key is None:
        return
    name = path.way.key.name
    yield from _of_breaker(source, Kind.KEY, name, key, before.key_until, began)
    if key.until is not None and key.until != before.key_until:
        yield Cooldown(source, Kind.KEY, name, key.cause, key.until)
    is_marked = ledger is not None and ledger.is_marked_spent
    if ledger is not None and is_marked and not before.is_marked:
        until = now + ledger.back_in_s(wall_now)
        yield Cooldown(source, Kind.QUOTA, name, FailureClass.QUOTA_EXHAUSTED, until)
    elif before.is_marked and not is_marked:
        yield CooldownEnd(source, Kind.QUOTA, name, began)


def take_over(source: GuardedSource, news: CooldownNews, now: float, wall_now: datetime) -> None:
    """Let a source know what another process has learned; names it does not have are passed over.

    Notes
    -----
    An end is believed where our own account says that the time is over: then no trial of our own is
    needed. One that comes sooner says that another was luckier, while we were told to wait.
    """
    if news.kind is Kind.QUOTA:
        _take_over_quota(source, news, now, wall_now)
        return
    breaker = source.host(news.name) if news.kind is Kind.HOST else source.key(news.name)
    if breaker is None:
        return
    if isinstance(news, Cooldown):
        breaker.eject_until(min(news.until, now + LONGEST_S), now, news.cause, MET_BY_ANOTHER)
    elif breaker.until is not None and breaker.until <= now + NEAR_S and breaker.cause in REFUSALS:
        breaker.answered(now, now)


def _of_breaker(
    source: str, kind: Kind, name: str, breaker: Breaker, before: float | None, began: float
) -> Iterator[CooldownEnd]:
    """The end of an ejection: by a trial, not by a call that was let through before its time."""
    is_over = before is not None and breaker.until is None
    if is_over and breaker.cause in REFUSALS and before is not None and began >= before:
        yield CooldownEnd(source, kind, name, began)


def _take_over_quota(
    source: GuardedSource, news: CooldownNews, now: float, wall_now: datetime
) -> None:
    ledger = source.ledger(news.name)
    if ledger is None:
        return
    if isinstance(news, CooldownEnd):
        ledger.is_marked_spent = False
    elif abs((news.until - now) - ledger.day_left_s(wall_now)) <= SAME_DAY_S:
        ledger.mark_spent(wall_now)
