"""Our definitions beside your own, in one code location.

`Definitions.merge` does the work. Ours exists because Dagster tells of a name that both use one at
a time and mostly only once a repository is built; here all are told at once, with the cure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from healing_pipeline.definitions import build_definitions
from healing_pipeline.errors import ConfigurationError


def merged_definitions(
    own: dg.Definitions,
    config: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dg.Definitions:
    """Merge your definitions with those of a configuration.

    Parameters
    ----------
    own : Definitions
        Yours. Its executor stays in force for what is yours; jobs of ours bring their own.
    config : str or Path, optional
        Instead of ``$HEALING_CONFIG`` or ``config/healing_config.yaml``.
    environ : Mapping[str, str]
        See `build_definitions`.

    Raises
    ------
    ConfigurationError
        If the configuration cannot be used, or both have a job, an asset, a sensor, a schedule or a
        resource of the same name.
    """
    ours = build_definitions(None if config is None else Path(config), environ)
    taken = set(_names(own))
    both = [each for each in _names(ours) if each in taken]
    if both:
        listed = ", ".join(f"the {kind} `{name}`" for kind, name in both)
        raise ConfigurationError(
            f"Your definitions and those of healing_pipeline both have {listed}.",
            "Rename yours, or take it away if it is the same: commands and pages of ours ask for"
            " these names. Or load the module `healing_pipeline.definitions` as a code location of"
            " its own.",
        )
    return dg.Definitions.merge(own, ours)


def _names(definitions: dg.Definitions) -> Iterator[tuple[str, str]]:
    """Each name that has to be the only one, after its kind."""
    for key in definitions.resources or ():
        yield "resource", key
    for job in definitions.jobs or ():
        yield "job", job.name
    for each in (*(definitions.schedules or ()), *(definitions.sensors or ())):
        yield "sensor or schedule", str(getattr(each, "name", ""))
    for asset in definitions.assets or ():
        keys = getattr(asset, "keys", None) or {getattr(asset, "key", None)}
        for key in keys:
            if isinstance(key, dg.AssetKey):
                yield "asset", key.to_user_string()
