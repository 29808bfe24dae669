"""Where the commands print: tables and progress for people, plain JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from healing_pipeline.catalog.values import Upstreams
from healing_pipeline.cli.printable import printable
from healing_pipeline.probing.failure_class import FailureClass

# What is piped has no width; rich would cut its tables to 80 columns.
PIPED_WIDTH = 140


class SafeConsole(Console):
    """A console that prints text and the colours of its own, and nothing that text asks for."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as ever, with every piece of text printable."""
        for each in super().render(renderable, options):
            if each.control:
                yield each
            else:
                yield Segment(printable(each.text), each.style)


out = SafeConsole(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = SafeConsole(stderr=True, highlight=False, soft_wrap=True)

COLOURS = {"exact": "green", "stale": "yellow", "coarser": "yellow", "proxy": "yellow"}


def print_json(value: Any) -> None:
    """Print one JSON document."""
    json.dump(value, sys.stdout, indent=2, default=str, allow_nan=False)
    sys.stdout.write("\n")


def hint_at_simulator(upstreams: Upstreams, failure: FailureClass) -> None:
    """Name the likely cure when simulated upstreams are asked and nobody answers."""
    if upstreams is Upstreams.SIMULATED and failure is FailureClass.NETWORK_ERROR:
        err.print(
            "Upstreams are simulated: `healing up` starts them. "
            "`upstreams: real` in the configuration asks the real ones."
        )
