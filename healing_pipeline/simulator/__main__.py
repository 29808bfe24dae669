"""``python -m healing_pipeline.simulator``: run the simulated upstreams until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from healing_pipeline.errors import ConfigurationError, HealingPipelineError, PortInUseError
from healing_pipeline.simulator.faults import Fault
from healing_pipeline.simulator.hosts import HOSTS, addresses, control_address
from healing_pipeline.simulator.keys import KEYED_SOURCES, default_keys
from healing_pipeline.simulator.quotas import QuotaScale, parse_quota_scale
from healing_pipeline.simulator.scenario import Scenario, load_scenario
from healing_pipeline.simulator.server import SimulatorServer
from healing_pipeline.simulator.simulation import Simulation

EXIT_WRONG_USE = 2
EXIT_PORT_IN_USE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the options, serve, and return an exit code: 0 after a clean stop."""
    options = _parser().parse_args(argv)
    try:
        return asyncio.run(_serve(options))
    except PortInUseError as exc:
        print(exc, file=sys.stderr)
        return EXIT_PORT_IN_USE
    except HealingPipelineError as exc:
        print(exc, file=sys.stderr)
        return EXIT_WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m healing_pipeline.simulator", description="Simulated upstreams."
    )
    parser.add_argument("--port", type=int, default=8900, help="control port; the hosts' follow")
    parser.add_argument("--seed", type=int, default=1, help="of the market and of every share")
    parser.add_argument("--scenario", help="name of a shipped scenario, or a path to a .yaml file")
    parser.add_argument("--epoch", help="simulated now at the start, ISO; default: the wall clock")
    parser.add_argument("--loop", action="store_true", help="repeat the scenario's faults")
    parser.add_argument("--quotas", help="real, off or a factor; default: the scenario's, or off")
    parser.add_argument("--paused", action="store_true", help="wait for POST /control/start")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="SOURCE:NAME:SECRET",
        help="accept this key too; may be repeated",
    )
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="end when the starting process is gone"
    )
    return parser


async def _serve(options: argparse.Namespace) -> int:
    scenario = load_scenario(options.scenario) if options.scenario else None
    epoch = _epoch(options.epoch)
    simulation = Simulation(
        seed=options.seed,
        epoch=epoch,
        faults=() if scenario is None else _faults(scenario, loop=options.loop),
        quotas=_quotas(options.quotas, scenario),
        keys=_keys(options.key),
    )
    if not 1 <= options.port <= 65535 - len(HOSTS):
        raise ConfigurationError(f"--port is {options.port}.", "Choose one from 1 to 65000.")
    server = SimulatorServer(simulation, options.port)
    if not options.paused:
        simulation.start()

    def ready() -> None:
        hosts = {"/".join(pair): url for pair, url in addresses(options.port).items()}
        said = {
            "ready": True,
            "pid": os.getpid(),
            "control": control_address(options.port),
            "hosts": hosts,
            "seed": options.seed,
            "epoch": epoch.isoformat(),
            "scenario": None if scenario is None else scenario.name,
        }
        print(json.dumps(said), flush=True)

    await server.run(ready, exit_with_parent=options.exit_with_parent)
    return 0


def _faults(scenario: Scenario, *, loop: bool) -> tuple[Fault, ...]:
    period_s = scenario.duration_s if loop else None
    return tuple(replace(fault, period_s=period_s) for fault in scenario.faults)


def _epoch(given: str | None) -> datetime:
    if given is None:
        return datetime.now(UTC)
    try:
        epoch = datetime.fromisoformat(given)
    except ValueError:
        epoch = None
    if epoch is None or epoch.tzinfo is None:
        cure = "Write it like 2026-01-05T15:00:00Z, with its zone."
        raise ConfigurationError(f"--epoch is {given!r}.", cure)
    return epoch.astimezone(UTC)


def _quotas(given: str | None, scenario: Scenario | None) -> QuotaScale:
    if given is None:
        return QuotaScale(float("inf")) if scenario is None else scenario.quotas
    scale = parse_quota_scale(given)
    if scale is None:
        raise ConfigurationError(f"--quotas is {given!r}.", "Say real, off or a factor over 0.")
    return scale


def _keys(given: Sequence[str]) -> dict[tuple[str, str], str]:
    keys = dict(default_keys())
    for each in given:
        source, _, rest = each.partition(":")
        name, _, secret = rest.partition(":")
        if source not in KEYED_SOURCES or not name or not secret:
            sources = ", ".join(KEYED_SOURCES)
            # The secret is not repeated: this line may end up in a log.
            problem = f"--key for {source!r} cannot be used."
            raise ConfigurationError(problem, f"Write SOURCE:NAME:SECRET with one of {sources}.")
        keys[source, name] = secret
    return keys


if __name__ == "__main__":
    sys.exit(main())
