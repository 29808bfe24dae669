"""What others wrote, fit to be shown: without keys, ours or anybody's.

What is stored went through `probing.redaction` already, most of it. A page is sent to colleagues,
so it does not rely on that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from healing_pipeline.catalog.secrecy import is_secret_param
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.healing.strategies import STRATEGIES
from healing_pipeline.probing.redaction import REDACTED, redact
from healing_pipeline.providers.urls import SECRET_PARAMS
from healing_pipeline.reporting.tables import Table

# A body that got into a note is not a page's to show.
LONGEST = 2_000
# Columns that hold what an upstream or a person wrote.
FREE_TEXT = frozenset({"evidence", "title", "root_cause", "acknowledged_by"})


@dataclass(frozen=True, slots=True)
class Striking:
    """Strikes out the keys of a catalogue, and whatever looks like a key.

    Attributes
    ----------
    secrets : tuple of str
        The longest first, so that no part of one is left.
    known : frozenset of str
        Names of our own that are as long as keys.
    """

    secrets: tuple[str, ...]
    known: frozenset[str]

    def text(self, said: object) -> str:
        """One text, cut where it is too long to be read."""
        text = str(said)
        for secret in self.secrets:
            text = text.replace(secret, REDACTED)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - 3]}..."
        return redact(text, self.known)

    def param(self, name: str, value: object) -> str:
        """The value of a parameter, by its name too."""
        if name.lower() in SECRET_PARAMS or is_secret_param(name):
            return REDACTED
        return self.text(value)

    def table(self, table: Table) -> Table:
        """The same table, struck out in what others wrote; our own names stay as they are."""
        names = FREE_TEXT & {each.name for each in table.columns}
        rows = [
            {
                **row,
                **{name: self.text(value) for name in names if isinstance(value := row[name], str)},
            }
            for row in table.rows
        ]
        return replace(table, rows=rows) if names else table

    def everything(self, value: Any) -> Any:
        """Every text in a JSON document, names included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(name): self.param(str(name), each)
                if isinstance(each, str)
                else self.everything(each)
                for name, each in value.items()
            }
        if isinstance(value, Iterable):
            return [self.everything(each) for each in value]
        return value


def striking_for(catalog: Catalog) -> Striking:
    """Strikes out the keys of `catalog`, as they are and as a URL holds them."""
    secrets = {key.secret for source in catalog.sources.values() for key in source.keys}
    quoted = {quote(each, safe="") for each in secrets}
    names = {
        *(part for each in catalog.endpoints for part in (each, each.split("/", 1)[1])),
        *catalog.sources,
        *(host.name for source in catalog.sources.values() for host in source.hosts),
        *(key.name for source in catalog.sources.values() for key in source.keys),
        *(value for each in catalog.endpoints.values() for value in each.params.values()),
        *(part for each in catalog.endpoints.values() for part in each.path.split("/")),
        *(each.name for each in STRATEGIES),
    }
    return Striking(
        secrets=tuple(sorted((each for each in secrets | quoted if each), key=len, reverse=True)),
        known=frozenset(names),
    )
