"""What FRED's questions are about, and how one is put for another series.

FRED answers for one series at a time: there is no question whose answer holds those of two, so
nothing is merged.
"""

from __future__ import annotations

from collections.abc import Mapping

from healing_pipeline.providers.provider import Asked
from healing_pipeline.providers.subjects import counted

OBSERVATIONS_PATH = "/fred/series/observations"

_WINDOW = frozenset({"limit", "offset", "sort_order", "observation_start", "observation_end"})
# What FRED assumes when it is not told; of `file_type`, what `requests.request` assumes.
_DEFAULTS = {"units": "lin", "output_type": "1", "file_type": "json"}


def subject(path: str, params: Mapping[str, str]) -> tuple[str, ...]:
    """``("observations", "DGS10")``, then what changes the numbers: units, frequency, vintages.

    ``file_type=xml`` counts as well: the numbers are the same, but only JSON can be read here, so
    a reader must not be able to turn a question into one whose answers are all unreadable. A
    reader of XML is answered by `rendering`.
    """
    series = params.get("series_id", "").strip().upper()
    if path.rstrip("/") != OBSERVATIONS_PATH or not series:
        return path, *counted(params, (), _DEFAULTS)
    return "observations", series, *counted(params, {"series_id", *_WINDOW}, _DEFAULTS)


def substituted(path: str, params: Mapping[str, str], instrument: str) -> Asked | None:
    """The same question about another series."""
    return (path, {**params, "series_id": instrument}) if "series_id" in params else None
