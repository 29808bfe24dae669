"""What `dagster.yaml` may say to the classes of ours that it can name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagster import Field

from healing_pipeline.celery_runs import WatchedCeleryRunLauncher
from healing_pipeline.launcher import EagerRunCoordinator, WarmRunLauncher
from healing_pipeline.launcher.settings import Settings
from healing_pipeline.orchestration.instance_storage import InstallationStorage
from program_reference.markdown import attributes, code, docstring, sentence, table

# Each with what else says of its settings what they are.
CLASSES: tuple[tuple[type, str, tuple[type, ...]], ...] = (
    (WarmRunLauncher, "run_launcher", (Settings,)),
    (WatchedCeleryRunLauncher, "run_launcher", ()),
    (EagerRunCoordinator, "run_coordinator", ()),
    (InstallationStorage, "storage", ()),
)


def settings() -> Iterator[tuple[type, str, Field, str]]:
    """Each setting that a class of ours adds to those of Dagster's own, with what it is."""
    for each, _, others in CLASSES:
        told: dict[str, str] = {}
        for documented in (*others, each):
            told |= attributes(documented)
        inherited = each.__mro__[1].config_type()  # type: ignore[attr-defined]
        for name, field in each.config_type().items():  # type: ignore[attr-defined]
            if name not in inherited:
                yield each, name, field, told.get(name, "")


def text() -> str:
    """A section for each class."""
    rows: dict[type, list[list[str]]] = {}
    for each, name, field, told in settings():
        rows.setdefault(each, []).append([code(name), _default(field), sentence(told)])
    parts = []
    for each, where, _ in CLASSES:
        parts += [f"### {code(each.__name__)}", f"Under `{where}`. {docstring(each)}"]
        if each in rows:
            parts.append(table(["setting", "default", "what it is"], rows[each]))
    return "\n\n".join(parts)


def _default(field: Any) -> str:
    if not field.default_provided:
        return ""
    return code(field.default_value) if field.default_value not in ("", []) else "none"
