"""Faults of ours. A third party's failure is never raised: it is a value with evidence.

Each error carries its data as attributes, and its message names the cure, because the message is
what the command line prints.
"""

from __future__ import annotations

from pathlib import Path


class HealingPipelineError(Exception):
    """A fault of ours, or of how we were set up; the message says what to do about it."""


class ConfigurationError(HealingPipelineError):
    """A configuration that cannot be used.

    Parameters
    ----------
    problem : str
        What is wrong, in one sentence.
    cure : str
        What to change.
    path : Path, optional
        The file it stands in.
    line : int, optional
        The line, counted from 1.
    """

    def __init__(
        self, problem: str, cure: str, *, path: Path | None = None, line: int | None = None
    ) -> None:
        self.problem = problem
        self.cure = cure
        self.path = path
        self.line = line
        place = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(f"{place}{problem} {cure}")


class AnotherQuestionError(HealingPipelineError):
    """A reader's parameters or path turn an endpoint's question into another one.

    Were it answered, healing would fetch the alternates of the endpoint, which carry other numbers.

    Parameters
    ----------
    endpoint : str
        The endpoint that was named.
    problem : str
        What differs, in one sentence.
    cure : str
        What to do instead.
    """

    def __init__(self, endpoint: str, problem: str, cure: str) -> None:
        self.endpoint = endpoint
        self.problem = problem
        self.cure = cure
        super().__init__(f"{problem} {cure}")


class StorageError(HealingPipelineError):
    """The database cannot be used as it is."""


class DatabaseAwayError(StorageError):
    """The database does not answer; it may do so later, as it is."""


class PortInUseError(HealingPipelineError):
    """Another program listens where we have to.

    Parameters
    ----------
    port : int
        The port asked for.
    what : str
        What was to listen there.
    cure : str
        How to choose another.
    """

    def __init__(self, port: int, what: str, cure: str) -> None:
        self.port = port
        self.what = what
        self.cure = cure
        super().__init__(f"Port {port}, wanted by {what}, is in use. {cure}")
