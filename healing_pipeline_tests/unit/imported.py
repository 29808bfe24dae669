"""Other tools' files brought over, as `healing init --from` does it, without a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from healing_pipeline.catalog.load import load
from healing_pipeline.catalog.values import Catalog
from healing_pipeline.importing.placing import Placed, place
from healing_pipeline.importing.reading import read
from healing_pipeline.importing.writing import text_of

# Asking for all that is installed takes longer than all else.
PROVIDERS = ("json_api", "yahoo", "fred", "polygon", "alpha_vantage", "exchange_rate")

HERE = Path(__file__).parent / "other_tools"


@dataclass(frozen=True)
class Imported:
    placed: Placed
    text: str
    catalog: Catalog | None

    def of(self, name: str) -> str:
        """The endpoint that a monitor became."""
        (found,) = (each.id for each in self.placed.endpoints if each.of == name)
        return found

    def why_not(self, name: str) -> str:
        (found,) = (each.why for each in self.placed.left_out if each.name == name)
        return found

    def notes(self, name: str) -> str:
        (found,) = (each.notes for each in self.placed.endpoints if each.of == name)
        return "; ".join(found)


def imported(text: str, folder: Path) -> Imported:
    """A file of another tool, and the catalog that our own reading makes of what is written."""
    placed = place(read(text))
    written = text_of(placed)
    if not placed.endpoints:
        return Imported(placed, written, None)
    path = folder / "imported.yaml"
    path.write_text(written, encoding="utf-8")
    environ = {name: "made-up" for name, _ in placed.variables}
    return Imported(placed, written, load(path, environ=environ, providers=PROVIDERS))
