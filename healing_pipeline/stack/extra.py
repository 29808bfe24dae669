"""A part that only some stacks have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Extra:
    """A part to be started beside Dagster's.

    Attributes
    ----------
    called : str
        As people read it when it does not get ready.
    variables : mapping
        Added to this part's environment.
    is_ready : callable
        Whether it is of use; also after it was started again.
    before_again : callable
        Clears away what a killed one leaves in the way of the next.
    """

    name: str
    called: str
    command: tuple[str, ...]
    is_ready: Callable[[], bool]
    before_again: Callable[[], object]
    variables: Mapping[str, str] = field(default_factory=dict)
