"""`healing gateway`: the data path over HTTP, for readers in any language."""

from __future__ import annotations

import os
from pathlib import Path

from healing_pipeline.cli.console import out
from healing_pipeline.web.serving import run


def gateway(config: Path, *, host: str, port: int) -> int:
    """Serve until Ctrl-C or SIGTERM; 0 then."""

    def ready(address: str) -> None:
        out.print(f"Gateway:   {address}/docs  (Ctrl-C stops it)", markup=False, soft_wrap=True)
        out.print(f"Dashboard: {address}/health-dashboard", markup=False, soft_wrap=True)

    run(config, os.environ, host=host, port=port, ready=ready)
    return 0
