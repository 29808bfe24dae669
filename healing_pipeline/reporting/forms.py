"""The forms in which tables leave the house, each with its media type and its writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from healing_pipeline.reporting.markup import as_html, as_markdown
from healing_pipeline.reporting.tables import Table, as_csv, as_json
from healing_pipeline.reporting.toon import as_toon


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes
    ----------
    name : str
        What a person calls it, and a file of it ends in.
    media_type : str
        Without parameters; ``text/toon`` is the one that TOON's specification has, provisionally.
    write : callable
        From at least one table to text.
    holds_many : bool
        Whether it has room for more than one table.
    """

    name: str
    media_type: str
    write: Callable[[Sequence[Table]], str]
    holds_many: bool = True


# For programs first: that is what somebody gets who takes anything.
FORMS: Mapping[str, Form] = MappingProxyType(
    {
        each.name: each
        for each in (
            Form("json", "application/json", lambda tables: as_json(*tables).decode()),
            Form("toon", "text/toon", lambda tables: as_toon(*tables)),
            Form("csv", "text/csv", lambda tables: as_csv(tables[0]), holds_many=False),
            Form("md", "text/markdown", lambda tables: as_markdown(*tables)),
            Form("html", "text/html", lambda tables: as_html(*tables)),
        )
    }
)
