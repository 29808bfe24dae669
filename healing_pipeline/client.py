"""The data path as a client in your own process: `HealingClient`, and `AsyncHealingClient`.

Importing this costs next to nothing: Dagster, pandas and psycopg are not loaded, and what is needed
to serve is loaded when a client is opened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.healing.fidelity import Fidelity

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

    from healing_pipeline.data_path import DataPath
    from healing_pipeline.healing.answer import Answer, HealingFailed

Result = TypeVar("Result")

SHORTEST_DEADLINE_S, LONGEST_DEADLINE_S = 0.1, 60.0

# Of many endpoints that are read together, so many are under way.
AT_ONCE = 100


class ClosedError(HealingPipelineError):
    """A client was used before it was opened, or after it was closed."""


class AsyncHealingClient:
    """Reads catalogued endpoints, healed inside one deadline and honestly labelled.

    It starts and serves without PostgreSQL: what happens waits on disk until it is back, and what
    other processes learned meanwhile (routes, snapshots, spent quotas) is taken over then.

    Parameters
    ----------
    config : Path or str, optional
        The configuration; ``$HEALING_CONFIG`` or ``config/healing_config.yaml`` without.
    environ : Mapping[str, str], optional
        Instead of the process's environment; holds the API keys.

    Examples
    --------
    ::

        async with AsyncHealingClient() as client:
            answer = await client.fetch("yahoo/quote-aapl", deadline_s=1.5)
            if isinstance(answer, Answer):
                print(answer.fidelity, answer.as_of, answer.reading.points[-1].value)
            else:
                print(answer.verdict.failure_class, answer.verdict.evidence)
    """

    def __init__(
        self, config: Path | str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._config = config
        self._environ = environ
        self._parts = AsyncExitStack()
        self._path: DataPath | None = None
        self._spooled = 0

    async def open(self) -> Self:
        """Open the client, in the event loop that will use it.

        Raises
        ------
        ConfigurationError
            If the configuration cannot be used.
        """
        from healing_pipeline.data_path import open_data_path
        from healing_pipeline.installation import config_path

        if self._path is None:
            environ = os.environ if self._environ is None else self._environ
            config = config_path(environ) if self._config is None else Path(self._config)
            self._path = await self._parts.enter_async_context(open_data_path(config, environ))
        return self

    async def aclose(self) -> None:
        """Close the client; what PostgreSQL has not taken yet stays on disk. Idempotent."""
        self._path = None
        await self._parts.aclose()

    async def fetch(
        self,
        endpoint: str,
        *,
        params: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        accepts: Collection[Fidelity | str] | None = None,
    ) -> Answer | HealingFailed:
        """Read one endpoint.

        Parameters
        ----------
        endpoint : str
            Of the configuration: ``yahoo/quote-aapl``.
        params : Mapping[str, str], optional
            Laid over the endpoint's own: another window of the same data.
        deadline_s : float, optional
            Seconds to wait at most, 0.1 to 60, instead of the endpoint's.
        accepts : collection of Fidelity, optional
            Labels to take, instead of the endpoint's: ``{"exact", "stale"}``.

        Returns
        -------
        Answer or HealingFailed
            Whatever the upstreams do.

        Raises
        ------
        ConfigurationError
            If there is no such endpoint, or an option is out of range.
        AnotherQuestionError
            If `params` ask for other data than the endpoint's.
        """
        return await self._open_path().engine.fetch(
            endpoint,
            params=params,
            deadline_s=checked_deadline(deadline_s),
            accepts=checked_labels(accepts),
        )

    async def fetch_many(self, endpoints: Iterable[str]) -> list[Answer | HealingFailed]:
        """Read many endpoints, each inside its own deadline; the ends in their order.

        A hundred at once: more would only wait for each other, until their deadlines are over.
        """
        places = asyncio.Semaphore(AT_ONCE)

        async def one(endpoint: str) -> Answer | HealingFailed:
            async with places:
                return await self.fetch(endpoint)

        return list(await asyncio.gather(*(one(each) for each in endpoints)))

    async def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was read since the last time is in PostgreSQL; False where it is not.

        Then it waits on disk, or is still under way after `timeout_s`, and PostgreSQL gets it
        later. Readers need not ask: it is for whoever looks into the tables next.
        """
        recorder = self._open_path().recorder
        settled = await asyncio.to_thread(recorder.flush, timeout_s)
        before, self._spooled = self._spooled, recorder.counters.spooled
        return settled and self._spooled == before

    async def found_database(self, timeout_s: float = 5.0) -> bool:
        """Wait until PostgreSQL has been looked for once; whether it is there.

        Readers need not: it is for whoever wants in the tables what is read from now on.
        """
        memory = self._open_path().memory
        await asyncio.to_thread(memory.wait, timeout_s)
        return memory.is_connected

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint that can be read."""
        return tuple(self._open_path().catalog.endpoints)

    def _open_path(self) -> DataPath:
        if self._path is None:
            raise ClosedError("The client is not open. Use `async with AsyncHealingClient()`.")
        return self._path

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class HealingClient:
    """`AsyncHealingClient` for programs that are not async; safe to use from any thread.

    Examples
    --------
    ::

        from healing_pipeline import Answer, HealingClient

        with HealingClient.open("config/healing_config.yaml") as client:
            answer = client.fetch("fred/dgs10", params={"limit": "10"})
            if isinstance(answer, Answer):
                print(answer.fidelity, [point.value for point in answer.reading.points])
            else:
                print("no answer:", answer.verdict.evidence)
    """

    def __init__(self, client: AsyncHealingClient, portal: BlockingPortal, parts: ExitStack):
        self._client = client
        self._portal = portal
        self._parts = parts

    @classmethod
    def open(
        cls, config: Path | str | None = None, environ: Mapping[str, str] | None = None
    ) -> Self:
        """Open a client; parameters as for `AsyncHealingClient`. Close it, or use it in `with`.

        Raises
        ------
        ConfigurationError
            If the configuration cannot be used.
        """
        from anyio.from_thread import start_blocking_portal

        with ExitStack() as parts:
            portal = parts.enter_context(start_blocking_portal())
            client = AsyncHealingClient(config, environ)
            parts.enter_context(portal.wrap_async_context_manager(client))
            return cls(client, portal, parts.pop_all())

    def fetch(
        self,
        endpoint: str,
        *,
        params: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        accepts: Collection[Fidelity | str] | None = None,
    ) -> Answer | HealingFailed:
        """Read one endpoint; see `AsyncHealingClient.fetch`."""
        return self._call(
            partial(
                self._client.fetch, endpoint, params=params, deadline_s=deadline_s, accepts=accepts
            )
        )

    def fetch_many(self, endpoints: Iterable[str]) -> list[Answer | HealingFailed]:
        """Read many endpoints; see `AsyncHealingClient.fetch_many`."""
        return self._call(partial(self._client.fetch_many, endpoints))

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was read is in PostgreSQL; see `AsyncHealingClient.flush`."""
        return self._call(partial(self._client.flush, timeout_s))

    def found_database(self, timeout_s: float = 5.0) -> bool:
        """Whether PostgreSQL is there; see `AsyncHealingClient.found_database`."""
        return self._call(partial(self._client.found_database, timeout_s))

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint that can be read."""
        return self._client.endpoints

    def close(self) -> None:
        """Close the client; what PostgreSQL has not taken yet stays on disk. Idempotent."""
        self._parts.close()

    def _call(self, ask: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return self._portal.call(ask)
        except RuntimeError as error:
            if "portal is not running" not in str(error):
                raise
            raise ClosedError(
                "The client is closed. Open another with HealingClient.open()."
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def checked_deadline(deadline_s: float | None) -> float | None:
    """A reader's own deadline, if it is one.

    Raises
    ------
    ConfigurationError
        Otherwise.
    """
    if deadline_s is not None and not SHORTEST_DEADLINE_S <= deadline_s <= LONGEST_DEADLINE_S:
        raise ConfigurationError(
            f"A deadline of {deadline_s} s is out of range.",
            f"Give {SHORTEST_DEADLINE_S} to {LONGEST_DEADLINE_S:.0f} seconds.",
        )
    return deadline_s


def checked_labels(labels: Collection[Fidelity | str] | None) -> frozenset[Fidelity] | None:
    """The labels a reader takes, if they are labels.

    Raises
    ------
    ConfigurationError
        For one that is not, or for none at all.
    """
    if labels is None:
        return None
    known = [each.value for each in Fidelity]
    wrong = sorted(str(each) for each in labels if each not in known)
    if wrong or not labels or isinstance(labels, str):
        raise ConfigurationError(
            f"{', '.join(wrong) or 'Nothing'} is no label of an answer.",
            f"Choose from {', '.join(known)}.",
        )
    return frozenset(Fidelity(each) for each in labels)
