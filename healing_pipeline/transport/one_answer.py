"""Connections that take one answer to a question, and few words before it.

aiohttp takes any number of interim answers (1xx), and of answers that nobody asked for, and its
event loop reads up to 8 MB of them before it does anything else: 300,000 that together hold
everybody for seconds, whatever deadline they have.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MOST_INTERIM = 16
"""Servers send one, seldom two."""


class OneAnswer(ResponseHandler):
    """A connection that ends where the other side does not keep to its turn."""

    _interim = 0
    _final = 0

    def set_response_params(self, **params: Any) -> None:
        """A question is asked: one answer may come."""
        self._interim = self._final = 0
        super().set_response_params(**params)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take one answer; hang up at the first word that is too much."""
        if 100 <= data[0].code < 200:
            self._interim += 1
        else:
            self._final += 1
        if self._final > 1 or self._interim > MOST_INTERIM:
            self._hang_up()
            return
        super().feed_data(data, size)

    def _hang_up(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        self._should_close = True
        # Not `close`, which would go on reading what is there.
        self.transport.abort()
        if not self._final:
            self.set_exception(
                HttpProcessingError(message=f"over {MOST_INTERIM} interim answers and no other")
            )


class OneAnswerConnector(aiohttp.TCPConnector):
    """Makes such connections."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # aiohttp has no other place to say which; a test floods one to see that it is heard.
        self._factory = cast(partial[ResponseHandler], partial(OneAnswer, loop=self._loop))
