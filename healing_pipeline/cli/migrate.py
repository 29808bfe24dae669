"""`healing migrate`: what a deployment does once before its processes start.

`healing up` does the same by itself. Where every process is a container of its own, this is the one
that knows the owner of the schema, and the one that says what is watched.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from healing_pipeline.cli.console import out, print_json
from healing_pipeline.installation import load_catalog, state_dir
from healing_pipeline.storage.clock_repairs import put_right
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.probes import seed_schedule
from healing_pipeline.storage.roles import warning_of


def migrate(config: Path, *, as_json: bool) -> int:
    """Bring the schema up to date and take over what the configuration watches; 0 then."""
    catalog = load_catalog(config, os.environ)
    address = resolve_database(os.environ, state_dir(os.environ))
    spread = Random().random  # noqa: S311 (a schedule, not a secret)  # nosec B311
    now = datetime.now(UTC)
    try:
        with Database(address.url, max_size=1) as database:
            applied = bring_up_to_date(database, address.owner_url)
            with database.connection() as connection:
                put_right(connection, now)
                seed_schedule(connection, catalog.endpoints.values(), now, spread)
            warning = warning_of(address.url)
    finally:
        address.close()
    if as_json:
        print_json(
            {
                "applied": [each.name for each in applied],
                "watched": len(catalog.endpoints),
                "warning": warning,
            }
        )
        return 0
    for each in applied:
        out.print(f"Applied {each.name}.", markup=False)
    out.print(
        f"The schema is that of this version; {len(catalog.endpoints)} endpoints of "
        f"{len(catalog.sources)} sources are watched.",
        markup=False,
        soft_wrap=True,
    )
    if warning:
        out.print(warning, markup=False, soft_wrap=True)
    return 0
