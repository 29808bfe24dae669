"""What a stack is to be, and whether it can be started: asked before anything is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from healing_pipeline.catalog.settings import load_settings
from healing_pipeline.catalog.values import Catalog, Upstreams
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog
from healing_pipeline.simulator.hosts import HOSTS
from healing_pipeline.simulator.scenario import load_scenario
from healing_pipeline.stack.ports import require_free
from healing_pipeline.stack.profile_name import ProfileName
from healing_pipeline.stack.project import absent


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be started, and where.

    Attributes
    ----------
    root : Path
        The project's folder: dagster.yaml and workspace.yaml stand in it.
    """

    config: Path
    root: Path
    state_dir: Path
    port: int
    gateway_port: int
    scenario: str
    seed: int
    profile: ProfileName = ProfileName.LOCAL

    @property
    def page(self) -> str:
        """Dagster's web page."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def gateway(self) -> str:
        """Where readers of any language ask."""
        return f"http://127.0.0.1:{self.gateway_port}"


def checked(plan: Plan) -> Catalog:
    """What the plan's configuration watches, when it can be started.

    Raises
    ------
    HealingPipelineError
        If a file is missing or broken, or a port is in use.
    """
    for path in absent(plan.root):
        raise ConfigurationError(
            f"There is no {path.name} in {plan.root}.",
            "Run `healing up` in the project's folder, or `healing init` here, which writes it.",
        )
    catalog = load_catalog(plan.config, os.environ)
    require_free(plan.port, "Dagster's web page", "Choose another: healing up --port 3001.")
    require_free(
        plan.gateway_port, "the gateway", "Choose another: healing up --gateway-port 8889."
    )
    if catalog.upstreams is Upstreams.SIMULATED:
        load_scenario(plan.scenario)
        base = load_settings(plan.config, environ=os.environ).simulator_port
        for port in range(base, base + len(HOSTS) + 1):
            require_free(
                port,
                "the simulated upstreams",
                f"Stop what listens there, or set `simulator: {{port: ...}}` in {plan.config}.",
            )
    return catalog
