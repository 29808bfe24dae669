"""The gateway as an ASGI application: data below ``/v1`` and ``/proxy``, pages for the rest.

Data takes a short way without a framework's request and response objects; they would cost as much
as the healing. Everything else (documentation, health, explanations) is an ordinary Starlette
application beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from healing_pipeline.catalog.values import Catalog
from healing_pipeline.errors import AnotherQuestionError
from healing_pipeline.healing.answer import Answer, HealingFailed
from healing_pipeline.healing.fidelity import Fidelity
from healing_pipeline.healing.parts import Clock
from healing_pipeline.healing.strategy import Observation
from healing_pipeline.providers.provider import Provider
from healing_pipeline.web.admission import ADMITTED, Admission
from healing_pipeline.web.answers import Reply, of_answer, of_observation, of_problem
from healing_pipeline.web.asked import Wishes, is_token, wishes_of
from healing_pipeline.web.problems import Problem, failure
from healing_pipeline.web.protection import CHANGES_NOTHING, STRANGER, protected
from healing_pipeline.web.questions import BY_NAME, BY_PATH, Question, Questions

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOG = logging.getLogger(__name__)

METHODS = b"GET, HEAD, OPTIONS"
# A balancer asks for these without a token; strangers are told nothing about the catalogue.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})


class Engine(Protocol):
    """What the gateway needs of a `HealingEngine`."""

    async def fetch(
        self,
        endpoint_id: str,
        *,
        params: Mapping[str, str] | None = None,
        path: str | None = None,
        deadline_s: float | None = None,
        accepts: frozenset[Fidelity] | None = None,
    ) -> Answer | HealingFailed:
        """See `HealingEngine.fetch`."""
        ...

    async def ask_plain(
        self,
        endpoint_id: str,
        *,
        params: Mapping[str, str] | None = None,
        path: str | None = None,
        timeout_s: float | None = None,
    ) -> Observation:
        """See `HealingEngine.ask_plain`."""
        ...


class Gateway:
    """Answers HTTP requests from an engine.

    Parameters
    ----------
    catalog : Catalog
        The only endpoints and hosts there are.
    providers : Mapping[str, Provider]
        By provider name.
    engine : Engine
    clock : Clock
    pages : ASGI application
        For every path that is no data.
    token : str or None
        What readers have to bring; None where no token is needed.
    reader_token : str or None
        Another that may be brought for reading; whoever brings it changes nothing.
    is_open : callable
        Whether a path may be asked for without it.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        providers: Mapping[str, Provider],
        engine: Engine,
        clock: Clock,
        pages: App,
        token: str | None = None,
        reader_token: str | None = None,
        is_open: Callable[[str], bool] = OPEN_PATHS.__contains__,
    ) -> None:
        self._catalog = catalog
        self._providers = providers
        self._questions = Questions(catalog, providers, clock.now)
        self._engine = engine
        self._clock = clock
        self._pages = pages
        self._tokens = tuple(each.encode() for each in (token, reader_token) if each is not None)
        self._admissions = tuple(Admission(each) for each in self._tokens)
        self._reader = None if reader_token is None else self._admissions[-1]
        self._is_open = is_open
        self._secrets = tuple(
            {
                key.secret.encode()
                for source in catalog.sources.values()
                for key in source.keys
                if key.secret
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, a browser's socket, or the server's start and stop."""
        if scope["type"] == "http":
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            if path.startswith((BY_NAME, BY_PATH)):
                await self._answer_data(path, scope, send)
                return
            send = protected(send)
        await self._answer_page(scope, receive, send)

    async def _answer_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._admissions or scope["type"] == "lifespan":
            await self._pages(scope, receive, send)
            return
        now, headers = self._clock.now(), scope["headers"]
        admission = next((each for each in self._admissions if each.admits(headers, now)), None)
        if self._is_open(scope["path"]):
            scope[STRANGER] = admission is None
            await self._pages(scope, receive, send)
            return
        scope[ADMITTED] = admission is not None
        if admission is None:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await replied(of_problem(_NO_PASS), scope, send)
            return
        if (
            admission is self._reader
            and scope["type"] == "http"
            and scope["method"] not in CHANGES_NOTHING
        ):
            await replied(of_problem(_READ_ONLY), scope, send)
            return
        if scope["type"] == "http" and admission.has_password(headers):
            send = _with_cookie(send, admission.new_pass(now))
        await self._pages(scope, receive, send)

    async def _answer_data(self, path: bytes, scope: Scope, send: Send) -> None:
        try:
            reply = await self._data(path, scope)
        except Exception:
            _LOG.exception("a fault of ours")
            reply = of_problem(Problem("internal-error", "The gateway's log says what happened."))
        await replied(reply, scope, send)

    async def _data(self, path: bytes, scope: Scope) -> Reply:
        method = scope["method"]
        if method == "OPTIONS":
            return 204, [(b"allow", METHODS)], b""
        question = self._questions.of(path, scope["query_string"])
        end = await self._end(question, scope)
        if not isinstance(end, Problem):
            return end
        if isinstance(question, Question) and question.rendered_as is not None:
            end = replace(end, as_xml=True)
        return of_problem(end)

    async def _end(self, question: Question | Problem, scope: Scope) -> Reply | Problem:
        method = scope["method"]
        as_key = question.as_key if isinstance(question, Question) else None
        if self._lacks_token(scope, as_key):
            return _UNAUTHORIZED
        if method not in ("GET", "HEAD"):
            return Problem(
                "method-not-allowed", f"{method} is not.", headers=((b"allow", METHODS),)
            )
        if isinstance(question, Problem):
            return question
        wishes = wishes_of(scope["headers"])
        if isinstance(wishes, Problem):
            return wishes
        try:
            if wishes.heal:
                return await self._healed(question, wishes)
            return await self._as_it_is(question, wishes)
        except AnotherQuestionError as error:
            return Problem("another-question", str(error), {"endpoint": error.endpoint})

    async def _healed(self, question: Question, wishes: Wishes) -> Reply | Problem:
        end = await self._engine.fetch(
            question.endpoint,
            params=question.params,
            path=question.path,
            deadline_s=wishes.deadline_s,
            accepts=wishes.accepts,
        )
        if isinstance(end, HealingFailed):
            return failure(end)
        now = self._clock.now()
        if question.rendered_as is not None:
            return self._rendered(end, question, question.rendered_as, now)
        endpoint = self._catalog.endpoints[question.endpoint]
        is_data = endpoint.is_market or endpoint.read is not None
        return of_answer(end, self._secrets, now, is_data=is_data)

    def _rendered(
        self, answer: Answer, question: Question, params: Mapping[str, str], now: datetime
    ) -> Reply | Problem:
        """The same answer in the form that the reader's client expects."""
        endpoint = self._catalog.endpoints[question.endpoint]
        provider = self._providers[self._catalog.sources[endpoint.source].provider]
        body = provider.rendered(answer.reading, question.path or endpoint.path, params, now)
        if body is None:
            detail = f"{endpoint.id} cannot be written in the form asked for. Ask for JSON."
            return Problem("bad-request", detail, {"endpoint": endpoint.id})
        return of_answer(replace(answer, body=body), self._secrets, now)

    async def _as_it_is(self, question: Question, wishes: Wishes) -> Reply:
        seen = await self._engine.ask_plain(
            question.endpoint,
            params=question.params,
            path=question.path,
            timeout_s=wishes.deadline_s,
        )
        source = self._catalog.sources[self._catalog.endpoints[question.endpoint].source]
        return of_observation(seen, source, self._secrets)

    def _lacks_token(self, scope: Scope, as_key: str | None) -> bool:
        if not self._tokens:
            return False
        found = any(is_token(each, scope["headers"], as_key) for each in self._tokens)
        scope[ADMITTED] = found
        return not found


_UNAUTHORIZED = Problem(
    "unauthorized",
    "Send `Authorization: Bearer` with the value of HEALING_GATEWAY_TOKEN.",
    headers=((b"www-authenticate", b'Bearer realm="healing gateway"'),),
)

_NO_PASS = Problem(
    "unauthorized",
    "Write the value of HEALING_GATEWAY_TOKEN as the password, with any name; a program sends it "
    "as `Authorization: Bearer`.",
    headers=(
        (b"www-authenticate", b'Basic realm="healing gateway", charset="UTF-8"'),
        (b"www-authenticate", b'Bearer realm="healing gateway"'),
    ),
)


_READ_ONLY = Problem("read-only", "Ask whoever has HEALING_GATEWAY_TOKEN.")


def _with_cookie(send: Send, cookie: bytes) -> Send:
    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"set-cookie", cookie)]}
        await send(message)

    return sent


async def replied(reply: Reply, scope: Scope, send: Send) -> None:
    """Send a whole reply."""
    status, headers, body = reply
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if scope["method"] == "HEAD":
        body = b""
    await send({"type": "http.response.body", "body": body})
