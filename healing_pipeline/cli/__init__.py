"""The command line: `healing COMMAND`, or `python -m healing_pipeline COMMAND`.

Parses, asks, prints. Each command imports what it needs when it runs, so that `healing --help` and
`healing classify` answer at once.
"""

from healing_pipeline.cli.app import main

__all__ = ["main"]
