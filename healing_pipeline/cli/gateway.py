"""`healing gateway`: the data path over HTTP, for readers in any language."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from uvicorn.loops.auto import auto_loop_factory

from healing_pipeline.cli.console import out
from healing_pipeline.web.serving import serve


def gateway(config: Path, *, host: str, port: int) -> int:
    """Serve until Ctrl-C or SIGTERM; 0 then."""

    def ready(address: str) -> None:
        out.print(f"Gateway:  {address}/docs  (Ctrl-C stops it)", markup=False, soft_wrap=True)

    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(serve(config, os.environ, host=host, port=port, ready=ready))
    return 0
