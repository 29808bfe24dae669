"""Dagster's own storage on whichever PostgreSQL this installation uses.

`dagster-postgres` wants a URL in dagster.yaml; the embedded server has one only once it runs. This
class finds the server first (and starts the embedded one if need be), so that every Dagster command
works in the project's folder without an environment to set up.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from healing_pipeline.installation import state_dir
from healing_pipeline.storage.database import resolve_database


class InstallationStorage(DagsterPostgresStorage):
    """`DagsterPostgresStorage` at the address `resolve_database` gives."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Nothing to configure in dagster.yaml: the environment says it all."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 (Dagster's signature)
    ) -> InstallationStorage:
        """Build the storage; the embedded server, if it is that, lives as long as its users."""
        address = resolve_database(os.environ, state_dir(os.environ))
        return cls(
            postgres_url=address.dagster_url, should_autocreate_tables=True, inst_data=inst_data
        )
