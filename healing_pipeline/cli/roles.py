"""`healing roles`: who may do what in the database, and what an administrator runs to part it."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from healing_pipeline.cli.console import out, print_json
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import state_dir
from healing_pipeline.storage.database import Database, resolve_database
from healing_pipeline.storage.migration import bring_up_to_date
from healing_pipeline.storage.roles import PART_THEM, Rights, rights_of, roles_sql


def show(*, as_json: bool) -> int:
    """Bring the schema up to date and say what each role may do; 0 when they are parted."""
    address = resolve_database(os.environ, state_dir(os.environ))
    try:
        with Database(address.url, max_size=1) as database:
            applied = bring_up_to_date(database, address.owner_url)
            with database.connection() as connection:
                app = rights_of(connection)
        with Database(address.owner_url, max_size=1) as database, database.connection() as other:
            owner = rights_of(other)
    finally:
        address.close()
    if as_json:
        print_json(
            {
                "parted": app.is_bound,
                "application": asdict(app),
                "owner": asdict(owner),
                "applied": [each.name for each in applied],
            }
        )
        return 0 if app.is_bound else 1
    for each in applied:
        out.print(f"Applied {each.name}.", markup=False)
    out.print(f"The application connects as {_told(app)}.", markup=False, soft_wrap=True)
    if app.is_bound:
        out.print(f"The owner is {_told(owner)}.", markup=False, soft_wrap=True)
        return 0
    out.print(PART_THEM, markup=False, soft_wrap=True)
    return 1


def print_sql(prefix: str) -> int:
    """Print what an administrator runs; asks no database."""
    out.file.write(roles_sql(prefix))
    return 0


def refuse_prefix(prefix: str) -> None:
    """Refuse a prefix without the option that uses it."""
    if prefix:
        raise ConfigurationError("--prefix names the roles of --sql.", "Give --sql too.")


def _told(rights: Rights) -> str:
    may: list[Any] = [
        "change the schema" if rights.changes_schema else "",
        "delete facts" if rights.deletes_facts else "",
    ]
    said = " and ".join(filter(None, may))
    return (
        f"{rights.role}, which may {said}"
        if said
        else (f"{rights.role}, which may neither change the schema nor delete facts")
    )
