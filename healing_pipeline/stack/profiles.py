"""What a stack launches its runs with: `--profile`, as a value that the start goes through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from healing_pipeline.stack.celery import celery_parts
from healing_pipeline.stack.dagster_home import settings_of, write_home_with
from healing_pipeline.stack.extra import Extra
from healing_pipeline.stack.profile_name import ProfileName


@dataclass(frozen=True, slots=True)
class Profile:
    """How the runs of a stack are launched.

    Attributes
    ----------
    home : Path
        ``DAGSTER_HOME``: the folder of the dagster.yaml that names the launcher.
    variables : mapping
        Added to the environment of every part.
    extras : tuple of Extra
        Parts that only this profile has, in the order of their start.
    is_warm : bool
        Whether runs begin in processes that are made ready with the stack.
    """

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[Extra, ...] = ()
    is_warm: bool = True


@contextmanager
def open_profile(
    name: ProfileName, root: Path, state_dir: Path, environ: Mapping[str, str]
) -> Iterator[Profile]:
    """Prepare a profile; nothing is started yet.

    Raises
    ------
    ConfigurationError
        If something that it needs is missing.
    """
    if name is ProfileName.LOCAL:
        yield Profile(root)
        return
    with celery_parts(state_dir, environ) as parts:
        # Apart from our own files: Dagster removes a folder `logs` in its home when it ends.
        home = state_dir / "dagster_home"
        write_home_with(home, settings_of(root), parts.run_launcher)
        yield Profile(home, parts.variables, parts.extras, is_warm=False)
