"""How the blocks of the documentation are run: by their language, but for what is named here.

A new page needs no line here while its blocks are of these kinds: `sh` (each command is parsed by
its own program, those of ours that only look are run, `curl` of the gateway is answered by one),
`yaml` (laid into a configuration that is checked, or Dagster's), `python` (a page's blocks are
executed one after the other), `sql` (run in a transaction that is rolled back), `json` and `toml`
(parsed), `text` (what a program prints: not run).
"""

from __future__ import annotations

import re

# Blocks that a test of their own runs: page, language and the test's file, which names the page.
ELSEWHERE: dict[tuple[str, str], str] = {
    ("docs/how_to/move_from_gatus_or_uptime_kuma.md", "yaml"): "docs/test_moving_page.py",
    ("docs/tutorial/first_heal.md", "sh"): "docs/test_tutorial.py",
    ("docs/tutorial/first_heal.md", "yaml"): "docs/test_tutorial.py",
    ("docs/tutorial/first_heal.md", "python"): "docs/test_tutorial.py",
    ("docs/reference/alert_channels.md", "sh"): "unit/test_alert_channels_guide.py",
}

# Blocks that nothing here can run: page, language and what stands in it, with the reason.
NOT_RUN: dict[tuple[str, str, str], str] = {
    ("docs/reference/dashboard_pages.md", "yaml", "scrape_configs"): (
        "read by Prometheus, which is not installed; parsed only"
    ),
    ("docs/reference/dashboard_pages.md", "markdown", "badge"): "shows a picture of the reader's",
}

# Languages that are parsed and not run, or not looked into at all, with the reason.
SHOWN: dict[str, str] = {
    "mermaid": "a diagram; the build of the site draws it",
    "text": "what a program prints",
}

# Commands of `healing` that change nothing, ask nobody outside and end by themselves: they are run.
LOOKS_ONLY = re.compile(
    r"check|alerts( silences| maintenance| deliveries)?|diagnose|(fetch|probe) (yahoo|fred)/\S+"
    r"|learn --history|prune --dry-run|report( --hours \d+| --digest| --format toon)?|roles --sql"
)
