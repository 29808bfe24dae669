"""One TCP connection: HTTP/1.1 parsed by h11, answers delivered well or badly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

import h11

from healing_pipeline.simulator import delivery
from healing_pipeline.simulator.outcome import Delivery, Outcome
from healing_pipeline.simulator.upstreams.contract import Answer, json_answer

_MOST_BODY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """A whole request.

    Attributes
    ----------
    method : str
    path : str
        Unquoted.
    params : Mapping[str, str]
        Of several with one name the last.
    headers : Mapping[str, str]
        Names in lower case.
    body : bytes
    """

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


Respond = Callable[[Received], Outcome]


class Connection(asyncio.Protocol):
    """Keeps alive, answers requests one after the other.

    Parameters
    ----------
    respond : Respond
        Decides what a request gets; must not block.
    opened : set of Connection
        Registers itself there while it is open.
    """

    def __init__(self, respond: Respond, opened: set[Connection]) -> None:
        self._respond = respond
        self._opened = opened
        self._http = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's callback."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._opened.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Asyncio's callback: whatever was being delivered ends."""
        del exc
        self._opened.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Asyncio's callback: the peer reads slower than we write."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Asyncio's callback: the peer has caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Asyncio's callback."""
        try:
            self._http.receive_data(data)
        except RuntimeError:  # bytes after the end of a connection that we are closing
            return
        self._advance()

    def eof_received(self) -> bool:
        """Asyncio's callback: a peer that stops sending is gone."""
        return False

    def abort(self) -> None:
        """Drop the connection with a reset."""
        delivery.reset(self.transport)

    def _advance(self) -> None:
        """Answer every request that has come in whole."""
        while self._task is None and not self.transport.is_closing():
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as exc:
                self._refuse(exc)
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.Request):
                self._request, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
                if len(self._body) > _MOST_BODY_BYTES:
                    self.abort()
            elif isinstance(event, h11.EndOfMessage):
                self._reply()
            else:
                self.transport.close()
                return

    def _reply(self) -> None:
        assert self._request is not None
        outcome = self._respond(_received(self._request, self._body))
        if outcome.delivery is Delivery.SEND and not outcome.delay_s:
            assert outcome.answer is not None
            self._send(outcome.answer)
            return
        self._task = asyncio.create_task(self._deliver(outcome))

    async def _deliver(self, outcome: Outcome) -> None:
        if outcome.delay_s:
            await asyncio.sleep(outcome.delay_s)
        if outcome.delivery is Delivery.SEND:
            assert outcome.answer is not None
            self._send(outcome.answer)
            self._task = None
            self._advance()
            return
        await delivery.deliver_badly(self.transport, outcome, self._head, self._writable)

    def _send(self, answer: Answer) -> None:
        head = self._head(answer, len(answer.body))
        body = self._http.send(h11.Data(data=answer.body)) or b""
        tail = self._http.send(h11.EndOfMessage()) or b""
        self.transport.write(head + body + tail)
        if self._http.our_state is h11.MUST_CLOSE:
            self.transport.close()
        else:
            self._http.start_next_cycle()

    def _head(self, answer: Answer, length: int) -> bytes:
        """Status line and headers, for a body of `length` bytes."""
        headers = [*answer.headers.items(), ("content-length", str(length))]
        return self._http.send(h11.Response(status_code=answer.status, headers=headers)) or b""

    def _refuse(self, exc: h11.RemoteProtocolError) -> None:
        status = exc.error_status_hint
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(json_answer(status, {"error": "the request is no HTTP"}))
        self.transport.close()


def _received(request: h11.Request, body: bytes) -> Received:
    path, _, query = request.target.decode("ascii", "replace").partition("?")
    return Received(
        method=request.method.decode("ascii"),
        path=unquote(path),
        params=dict(parse_qsl(query, keep_blank_values=True)),
        headers={name.decode(): value.decode("latin-1") for name, value in request.headers},
        body=body,
    )
