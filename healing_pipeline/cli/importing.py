"""`healing init --from`: a configuration out of another tool's file, and an account of it."""

from __future__ import annotations

import os
from pathlib import Path

from healing_pipeline.catalog.default import refuse_existing, write_configuration
from healing_pipeline.catalog.load import check
from healing_pipeline.cli.config import tell_added
from healing_pipeline.cli.console import out, print_json
from healing_pipeline.cli.whole_files import NotTextError, read_text
from healing_pipeline.errors import ConfigurationError, HealingPipelineError
from healing_pipeline.importing.accounting import account_of
from healing_pipeline.importing.checks import Found
from healing_pipeline.importing.placing import Placed, place
from healing_pipeline.importing.reading import KNOWN, LONGEST_FILE, read, read_together
from healing_pipeline.importing.writing import text_of
from healing_pipeline.providers.registry import provider_names
from healing_pipeline.stack.project import write_absent

MOST_REASONS = 5
MOST_FILES = 1000


def init_from(source: Path, config: Path, *, force: bool, as_json: bool) -> None:
    """Write a configuration out of `source`, say what became of each monitor; all or nothing.

    Raises
    ------
    ConfigurationError
        If `source` cannot be used, or nothing in it can be carried over.
    """
    refuse_existing(config, force=force)
    placed = place(_found(source))
    if not placed.endpoints:
        reasons = [f"{each.name}: {each.why}" for each in placed.left_out]
        more = len(reasons) - MOST_REASONS
        told = "; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")
        raise ConfigurationError(
            f"Nothing of it can be carried over ({told or 'it lists no monitor'}).",
            "Nothing was written. `healing init` writes a configuration to begin with.",
            path=source,
        )
    text = text_of(placed)
    _judge(text, placed, config)
    write_configuration(config, text, force=force)
    added = write_absent(Path.cwd())
    if as_json:
        account = account_of(placed)
        print_json({"from": str(source), "config": str(config), **account})
        return
    _tell(placed, config)
    tell_added(added)
    unset = [name for name, _ in placed.variables if not os.environ.get(name, "").strip()]
    first = "set the variables, then " if unset else ""
    out.print(f"Next: {first}`healing check`, then `healing probe`, then `healing up`.")


def _found(source: Path) -> Found:
    try:
        if source.is_dir():
            return read_together((each, _text_of(each)) for each in _files_in(source))
        return read(_text_of(source))
    except NotTextError as error:
        raise ConfigurationError(str(error), "Nothing was written.", path=source) from None
    except ConfigurationError as error:
        if error.path is not None:
            raise
        raise ConfigurationError(error.problem, error.cure, path=source, line=error.line) from None


def _files_in(folder: Path) -> list[Path]:
    """The files that Gatus takes from a folder: those of its subfolders too."""
    found = sorted(each for each in folder.rglob("*.y*ml") if each.suffix in {".yaml", ".yml"})
    if not 0 < len(found) <= MOST_FILES:
        raise ConfigurationError(f"The folder has {len(found)} files of YAML.", KNOWN)
    return found


def _text_of(path: Path) -> str:
    if path.is_file() and path.stat().st_size > 4 * LONGEST_FILE:
        raise ConfigurationError("The file is too long for a configuration.", KNOWN, path=path)
    return read_text(path)


def _judge(text: str, placed: Placed, config: Path) -> None:
    """Hold what is to be written against our own reading, as if every variable were set."""
    environ = dict.fromkeys((name for name, _ in placed.variables), "set")
    problems = check(text, path=config, environ=environ, providers=provider_names())
    for each in problems:
        if each.severity == "error":
            raise HealingPipelineError(
                f"What was made of it is no configuration (line {each.line}: {each.problem}) "
                "Nothing was written. This is a mistake of ours: report it with the monitor."
            )


def _tell(placed: Placed, config: Path) -> None:
    def line(text: str) -> None:
        out.print(text, markup=False, soft_wrap=True)

    total = len(placed.endpoints) + len(placed.left_out)
    line(f"Wrote {config}: {len(placed.endpoints)} of {total} monitors of {placed.tool}.")
    for endpoint in placed.endpoints:
        line(f"  {endpoint.of} -> {endpoint.id}")
        for note in endpoint.notes:
            line(f"      {note}")
    if placed.left_out:
        line("Not carried over:")
        for each in placed.left_out:
            line(f"  {each.name}: {each.why}")
    if placed.notes:
        line("Of the file as a whole:")
        for note in placed.notes:
            line(f"  {note}")
    if placed.variables:
        line("To be set before anything is asked:")
        for name, holds in placed.variables:
            line(f"  {name}: {holds}")
