"""One installation's parts put together: catalog, providers, client, memory, engine.

The edges (command line, Dagster, drill) build what they need here and nowhere else. Nothing here
needs PostgreSQL: what the engine has to tell goes to the `record` it is given.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from healing_pipeline.catalog.destinations import Destinations, destinations
from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.catalog.shards import VARIABLE as SHARDS_VARIABLE
from healing_pipeline.catalog.shards import Shards, shards_of
from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.healing.engine import HealingEngine
from healing_pipeline.healing.facts import Fact
from healing_pipeline.healing.guard.cooldowns import Tell
from healing_pipeline.healing.memory import PolicyInForce, RouteTable, SnapshotMemory
from healing_pipeline.healing.parts import Clock, Send
from healing_pipeline.healing.strategies.registry import all_strategies
from healing_pipeline.probing.own_keys import MOST_DECODED, OwnKeys
from healing_pipeline.probing.response import Response
from healing_pipeline.providers.provider import UpstreamRequest
from healing_pipeline.providers.registry import provider_names, providers_of

STATE_DIR_VARIABLE = "HEALING_STATE_DIR"
CONFIG_VARIABLE = "HEALING_CONFIG"

# Where people reach Dagster's web page: messages link to it.
DAGSTER_PAGE_VARIABLE = "HEALING_DAGSTER_PAGE"

# For drills alone: seconds by which every clock of this process is ahead of the machine's, so that
# all processes of a drill live at the simulated market's date. Never set it where data is real.
CLOCK_OFFSET_VARIABLE = "HEALING_CLOCK_OFFSET_S"


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where this installation keeps its local state: ``.healing`` unless the environment says."""
    return Path(environ.get(STATE_DIR_VARIABLE) or ".healing").resolve()


def config_path(environ: Mapping[str, str]) -> Path:
    """The configuration: ``config/healing_config.yaml`` unless the environment says."""
    return Path(environ.get(CONFIG_VARIABLE) or "config/healing_config.yaml")


def simulated(
    config: Path, environ: Mapping[str, str]
) -> tuple[Mapping[tuple[str, str], str], Mapping[tuple[str, str], str]]:
    """Addresses by (source, host) and keys by (source, name) of the simulated upstreams."""
    from healing_pipeline.simulator.hosts import addresses
    from healing_pipeline.simulator.keys import default_keys

    return addresses(load_settings(config, environ=environ).simulator_port), default_keys()


def load_catalog(config: Path, environ: Mapping[str, str]) -> Catalog:
    """Read the configuration, with the simulator's addresses where it asks for them.

    Raises
    ------
    ConfigurationError
        If it cannot be used.
    """
    settings = load_settings(config, environ=environ)
    addresses, keys = (
        simulated(config, environ) if settings.upstreams is Upstreams.SIMULATED else (None, None)
    )
    return load(
        config,
        environ=environ,
        providers=provider_names(),
        simulated_hosts=addresses,
        simulated_keys=keys,
    )


def watched_shards(catalog: Catalog, config: Path, environ: Mapping[str, str]) -> Shards:
    """What the sensors of this process look at, by the configuration and ``HEALING_SHARDS``.

    Raises
    ------
    ConfigurationError
        If the variable cannot be used.
    """
    per_sensor = load_settings(config, environ=environ).endpoints_per_sensor
    return shards_of(catalog, per_sensor, environ.get(SHARDS_VARIABLE, ""))


def system_clock(offset_s: float | None = None) -> Clock:
    """The machine's clock, shifted by `offset_s` seconds where a simulation has its own date.

    Without `offset_s` by what ``HEALING_CLOCK_OFFSET_S`` says: a drill tells its processes so.

    Raises
    ------
    ConfigurationError
        If the variable holds no number of seconds.
    """
    shift_s = _clock_offset_s(os.environ) if offset_s is None else offset_s

    def now() -> datetime:
        return datetime.fromtimestamp(time.time() + shift_s, tz=UTC)

    return Clock(now=now, monotonic=time.monotonic, sleep=asyncio.sleep)


def _clock_offset_s(environ: Mapping[str, str]) -> float:
    said = environ.get(CLOCK_OFFSET_VARIABLE, "").strip() or "0"
    try:
        offset_s = float(said)
    except ValueError:
        offset_s = math.nan
    if not math.isfinite(offset_s):
        raise ConfigurationError(
            f"The environment variable {CLOCK_OFFSET_VARIABLE} is {said!r}.",
            f"`unset {CLOCK_OFFSET_VARIABLE}`: only a drill sets it, to a number of seconds.",
        )
    return offset_s


def new_ids() -> Callable[[], UUID]:
    """A maker of random UUIDs (version 4) that asks the system for chance by the page.

    A fetch needs two or more; asking for each by itself is a system call each time, which costs
    more than everything else about an id.
    """
    ids: list[UUID] = []

    def new_id() -> UUID:
        try:
            return ids.pop()
        except IndexError:
            page = os.urandom(4096)
            ids.extend(UUID(bytes=page[at : at + 16], version=4) for at in range(0, 4096, 16))
            return ids.pop()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=ids.clear)  # or two processes would use one page
    return new_id


def allowed_hosts(catalog: Catalog) -> Destinations:
    """Where calls may go, and redirects lead."""
    return destinations(catalog)


def without_own_keys(send: Send, catalog: Catalog) -> Send:
    """`send`, with a source's own keys cut out of what comes back from it."""
    by_source = {
        name: keys
        for name, source in catalog.sources.items()
        if (keys := OwnKeys(key.secret for key in source.keys))
    }
    if not by_source:
        return send

    async def struck(request: UpstreamRequest, timeout_s: float) -> Response:
        response = await send(request, timeout_s)
        keys = by_source.get(request.source)
        if keys is None:
            return response
        if len(response.body) <= MOST_DECODED:
            return keys.without(response)
        # A long body is searched beside the event loop, as it is read.
        return await asyncio.to_thread(keys.without, response)

    return struck


def build_engine(
    catalog: Catalog,
    *,
    send: Send,
    record: Callable[[Fact], None],
    clock: Clock,
    snapshots: SnapshotMemory,
    routes: RouteTable,
    policy: PolicyInForce | None = None,
    seed: int | None = None,
    tell: Tell | None = None,
) -> HealingEngine:
    """Put an engine together for `catalog`; `seed` fixes its jitter."""
    return HealingEngine(
        catalog=catalog,
        providers=providers_of(catalog),
        send=without_own_keys(send, catalog),
        clock=clock,
        random=random.Random(seed).random,  # noqa: S311 (jitter, not a secret)  # nosec B311
        new_id=new_ids(),
        record=record,
        snapshots=snapshots,
        routes=routes,
        policy=policy,
        strategies=all_strategies(),
        tell=tell,
    )
