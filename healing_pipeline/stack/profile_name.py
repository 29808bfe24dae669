"""The names of what a stack may launch its runs with, loaded by the command line at once."""

from __future__ import annotations

from enum import StrEnum


class ProfileName(StrEnum):
    """How the runs of a stack are launched.

    LOCAL: as the project's dagster.yaml says, from warm processes. CELERY: by Celery's workers.
    """

    LOCAL = "local"
    CELERY = "celery"
