"""`healing init` and `healing check`: write a configuration, and find what is wrong with one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from healing_pipeline.catalog.default import write_default
from healing_pipeline.catalog.load import check as find_problems
from healing_pipeline.catalog.problems import Problem
from healing_pipeline.catalog.reading import read_text
from healing_pipeline.catalog.second_opinion_section import SECTION
from healing_pipeline.catalog.settings import DEFAULT_SIMULATOR_PORT, load_settings
from healing_pipeline.cli.console import err, out, print_json
from healing_pipeline.cli.dagster_settings import of_instance
from healing_pipeline.cli.printable import counted
from healing_pipeline.errors import ConfigurationError
from healing_pipeline.installation import load_catalog
from healing_pipeline.providers.registry import provider_names
from healing_pipeline.simulator.hosts import addresses
from healing_pipeline.simulator.keys import default_keys
from healing_pipeline.stack.project import absent, write_absent
from healing_pipeline.storage.spool_room import spool_bytes


def init(config: Path, *, force: bool, as_json: bool) -> None:
    """Write the default configuration, and what else `healing up` needs; say what to do next."""
    root = Path.cwd()
    is_kept = not force and config.is_file() and bool(absent(root))
    if not is_kept:
        write_default(config, force=force)
    added = write_absent(root)
    catalog = load_catalog(config, os.environ)
    if as_json:
        wrote = [*([] if is_kept else [config]), *added]
        print_json({"config": str(config), "wrote": [str(each) for each in wrote]})
        return
    out.print(
        f"{'Kept' if is_kept else 'Wrote'} {config}: {len(catalog.sources)} sources, "
        f"{len(catalog.endpoints)} endpoints, upstreams {catalog.upstreams}."
    )
    tell_added(added)
    out.print("Next: `healing check`, then `healing up`.")


def tell_added(added: Sequence[Path]) -> None:
    """Say which files of Dagster's were written."""
    if added:
        names = " and ".join(each.name for each in added)
        out.print(f"Wrote {names}, which Dagster reads.")


def check(config: Path, *, as_json: bool) -> int:
    """Print every problem with its line and cure; 0 when there is no error."""
    text = read_text(config)
    # Not from the file's own settings: a mistake among them would be all that is ever told.
    problems = find_problems(
        text,
        path=config,
        environ=os.environ,
        providers=provider_names(),
        simulated_hosts=addresses(DEFAULT_SIMULATOR_PORT),
        simulated_keys=default_keys(),
    )
    problems += _of_environment()
    if not any(each.severity == "error" for each in problems):
        problems += _without_sdk(config, text)
    errors = sum(each.severity == "error" for each in problems)
    warning = None if errors else _of_database()
    dagster = of_instance()
    if as_json:
        found = {"path": str(config), "problems": [asdict(each) for each in problems]}
        found |= {} if warning is None else {"database": warning}
        print_json(found | ({"dagster": dagster} if dagster else {}))
        return 1 if errors else 0
    for each in problems:
        place = f"{config}:{each.line}: {each.severity}:"
        (err if each.severity == "error" else out).print(
            f"{place} {each.problem} {each.cure}", markup=False, soft_wrap=True
        )
    if errors:
        err.print(f"{errors} error{'s' if errors > 1 else ''}. Nothing was started or changed.")
        return 1
    for warned in (*([] if warning is None else [warning]), *dagster):
        out.print(f"warning: {warned}", markup=False, soft_wrap=True)
    catalog = load_catalog(config, os.environ)
    out.print(
        f"{config}: {counted(len(catalog.sources), 'source')}, "
        f"{counted(len(catalog.endpoints), 'endpoint')}, "
        f"upstreams {catalog.upstreams}. No errors."
    )
    return 0


def _of_environment() -> list[Problem]:
    """What is wrong with the settings that belong to a machine and not to the file."""
    try:
        spool_bytes(os.environ)
    except ConfigurationError as error:
        return [Problem(1, error.problem, error.cure, "error")]
    return []


def _of_database() -> str | None:
    """That the role of one's own server may do more than it should, where there is a server."""
    from healing_pipeline.storage.database import URL_VARIABLE
    from healing_pipeline.storage.roles import warning_of

    url = os.environ.get(URL_VARIABLE, "").strip()
    return warning_of(url) if url else None


def _without_sdk(config: Path, text: str) -> list[Problem]:
    """That the chosen model cannot be asked, as a problem on the line of its section."""
    settings = load_settings(config, environ=os.environ).second_opinion
    if settings is None or find_spec(str(settings.service)) is not None:
        return []
    lines = text.splitlines()
    line = next((n for n, each in enumerate(lines, 1) if each.startswith(f"{SECTION}:")), 1)
    return [
        Problem(
            line,
            f"The SDK of `{settings.service}` is not installed; until then no model is asked.",
            "pip install 'healing-pipeline[second-opinion]'",
            "warning",
        )
    ]
