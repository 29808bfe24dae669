"""What Apprise and the HTTP library beneath it say of one try, which its answer, a bool, does not.

Their loggers are listened to by the thread that sends, and go no further: they repeat addresses.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

APPRISE = "apprise"
HTTP = "urllib3.connectionpool"


@dataclass(slots=True)
class Heard:
    """What was said during one try.

    Attributes
    ----------
    statuses : list of int
        Of every HTTP answer.
    reasons : list of str
        Why something failed.
    """

    statuses: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class _Ear(logging.Handler):
    """Keeps what each thread's own try says apart."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.now = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        heard: Heard | None = getattr(self.now, "heard", None)
        if heard is None:
            return
        if record.name == HTTP:
            # '%s://%s:%s "%s %s %s" %s %s': scheme, host, port, method, path, version, status, size
            if isinstance(record.args, tuple) and len(record.args) == 8:
                status = record.args[6]
                if isinstance(status, int):
                    heard.statuses.append(status)
            return
        said = record.getMessage()
        if record.levelno >= logging.WARNING or said.startswith("Socket Exception"):
            heard.reasons.append(said)


_ear = _Ear()


@contextmanager
def listening() -> Iterator[Heard]:
    """Hear what is said of a try that this thread makes within the block."""
    for name in (APPRISE, HTTP):
        logger = logging.getLogger(name)
        if _ear not in logger.handlers:
            logger.addHandler(_ear)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False
    heard, outer = Heard(), getattr(_ear.now, "heard", None)
    _ear.now.heard = heard
    try:
        yield heard
    finally:
        _ear.now.heard = outer
