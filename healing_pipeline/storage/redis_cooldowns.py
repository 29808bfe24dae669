"""Cooldowns by way of Redis as well, for whoever has one: they are shared while PostgreSQL is away.

It adds a way and takes none: what is told goes to PostgreSQL too, whoever hears of a cooldown twice
goes by the later end, and without Redis everything is as before. Two threads of its own, one that
tells and one that listens; nobody waits for either. A cooldown lives in Redis for as long as it
holds, by Redis's own clock.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.guard.cooldowns import CooldownEnd, CooldownNews, Kind, Untold
from healing_pipeline.storage.cooldowns import cooldown_told

if TYPE_CHECKING:
    from redis import Redis

_LOG = logging.getLogger(__name__)

URL_VARIABLE = "HEALING_REDIS_URL"
PREFIX, CHANNEL = "healing:cooldown:", "healing:cooldown"

ANSWERS_WITHIN_S = 2.0
LISTEN_S = 0.25
PAUSE_S = 1.0

# An end is no end of what others were told to wait for longer; of a day's quota it always is one.
NEAR_MS, ANY_MS = 1_000, 10**12

# Tell it, unless it is known to last as long.
_NOTE = """
if redis.call('PTTL', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])
"""
_END = """
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
return redis.call('PUBLISH', ARGV[2], ARGV[3])
"""

Take = Callable[[tuple[CooldownNews, ...]], None]


class RedisCooldowns:
    """Tells others of cooldowns, and this process of theirs.

    Parameters
    ----------
    url : str
        ``redis://host:6379/0``, ``rediss://...`` or ``unix:///path``.
    take : callable
        Is handed what others told, in a thread of its own.

    Raises
    ------
    ConfigurationError
        If the package is missing, or the URL cannot be read.
    """

    def __init__(self, url: str, take: Take) -> None:
        self._client = _client(url)
        self._take = take
        self._process = str(uuid4())
        self._changed = threading.Condition()
        self._untold = Untold()
        self._stopped = threading.Event()
        self._connected = False
        self._teller = threading.Thread(target=self._tell_on, name="healing-redis-tell")
        self._listener = threading.Thread(target=self._listen_on, name="healing-redis-hear")
        self._teller.daemon = self._listener.daemon = True
        self._begun: list[threading.Thread] = []

    @property
    def is_connected(self) -> bool:
        """Whether others are heard at this moment."""
        return self._connected

    def start(self) -> None:
        """Begin to listen."""
        self._begin(self._listener)

    def tell(self, news: CooldownNews) -> None:
        """Let the others know, soon; returns at once."""
        with self._changed:
            self._untold.put(news)
            self._changed.notify_all()
        self._begin(self._teller)

    def close(self, timeout_s: float = 2.0) -> None:
        """Tell what is left to tell, if Redis is there, and stop."""
        with self._changed:
            self._stopped.set()
            self._changed.notify_all()
            begun = list(self._begun)
        for each in begun:
            each.join(timeout_s)
        self._client.close()

    def _begin(self, thread: threading.Thread) -> None:
        with self._changed:
            if thread not in self._begun and not self._stopped.is_set():
                self._begun.append(thread)
                thread.start()

    def _tell_on(self) -> None:
        from redis import RedisError

        while True:
            with self._changed:
                self._changed.wait_for(lambda: len(self._untold) or self._stopped.is_set())
                told = self._untold.take()
            try:
                while told:
                    self._store(told[-1], monotonic())
                    told.pop()
            except (RedisError, OSError):
                with self._changed:
                    self._untold.put_back(told)
                if self._stopped.wait(PAUSE_S):
                    return
            except Exception:  # a thread that ends unseen would tell nothing any more
                _LOG.exception("a cooldown could not be told by Redis")
            if self._stopped.is_set() and not len(self._untold):
                return

    def _store(self, news: CooldownNews, now: float) -> None:
        key = f"{PREFIX}{news.source}:{news.kind}:{news.name}"
        what: dict[str, object] = {
            "source": news.source,
            "kind": str(news.kind),
            "name": news.name,
            "process": self._process,
        }
        if isinstance(news, CooldownEnd):
            longest_ms = ANY_MS if news.kind is Kind.QUOTA else NEAR_MS
            told = json.dumps({**what, "cause": "ok", "remaining_s": 0.0})
            self._client.eval(_END, 1, key, longest_ms, CHANNEL, told)
            return
        what["cause"] = str(news.cause)
        remaining_ms = int((news.until - now) * 1000) + 1
        if remaining_ms > 1:
            told = json.dumps({**what, "remaining_s": remaining_ms / 1000})
            self._client.eval(_NOTE, 1, key, json.dumps(what), remaining_ms, CHANNEL, told)

    def _listen_on(self) -> None:
        from redis import RedisError

        while not self._stopped.is_set():
            try:
                self._listen()
            except (RedisError, OSError) as error:
                if self._connected:
                    _LOG.warning("cooldowns are not heard by Redis for now: %s", error)
            except Exception:  # a thread that ends unseen would never hear anything again
                _LOG.exception("listening to Redis failed; trying again")
            self._connected = False
            self._stopped.wait(PAUSE_S)

    def _listen(self) -> None:
        with self._client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(CHANNEL)
            while not self._stopped.is_set():
                message = pubsub.get_message(timeout=LISTEN_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    # First listen, then look: what changes in between is told.
                    self._hear_standing()
                    self._connected = True
                elif message["type"] == "message":
                    self._hear(_object(message["data"]))

    def _hear_standing(self) -> None:
        for key in self._client.scan_iter(match=f"{PREFIX}*", count=1000):
            told, left_ms = _object(self._client.get(key)), self._client.pttl(key)
            if isinstance(left_ms, int) and left_ms > 0:
                self._hear({**told, "remaining_s": left_ms / 1000})

    def _hear(self, told: Mapping[str, Any]) -> None:
        """Take over what another process told, and none of our own words."""
        news = cooldown_told(told, monotonic())
        if news is not None and told.get("process") != self._process:
            self._take((news,))


def redis_cooldowns(environ: Mapping[str, str], take: Take) -> RedisCooldowns | None:
    """By the Redis of ``HEALING_REDIS_URL``; None where it is not set.

    Raises
    ------
    ConfigurationError
        As for `RedisCooldowns`.
    """
    url = environ.get(URL_VARIABLE, "").strip()
    return RedisCooldowns(url, take) if url else None


def _client(url: str) -> Redis:
    try:
        from redis import Redis
    except ImportError:
        raise ConfigurationError(
            f"{URL_VARIABLE} is set, and the package redis is not installed.",
            f"`pip install 'healing-pipeline[redis]'`, or `unset {URL_VARIABLE}`.",
        ) from None
    try:
        return Redis.from_url(
            url,
            socket_timeout=ANSWERS_WITHIN_S,
            socket_connect_timeout=ANSWERS_WITHIN_S,
            health_check_interval=10,
        )
    except ValueError:
        # Its text may repeat the password.
        raise ConfigurationError(
            f"{URL_VARIABLE} cannot be read.", "It looks like redis://:password@host:6379/0."
        ) from None


def _object(text: Any) -> dict[str, Any]:
    found = None
    with suppress(ValueError, TypeError, RecursionError):
        found = json.loads(text)
    return found if isinstance(found, dict) else {}
