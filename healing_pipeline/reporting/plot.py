"""A picture of health: a bar per endpoint, live, healed and failed apart; of many, the worst.

matplotlib is imported inside: whoever imports this module may be a heal run.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from healing_pipeline.reporting.health import HEALTHY, EndpointHealth, HealthReport

# Colours that differ for colour-blind readers too (Okabe and Ito, 2008).
LIVE, HEALED, FAILED, IDLE = "#009E73", "#E69F00", "#D55E00", "#CCCCCC"

# The picture is stored with the event; past this it would weigh on Dagster's event log.
MOST_BYTES = 100_000

# More bars nobody reads, and a picture of thousands cannot be drawn at all.
MOST_BARS = 60


def health_plot(report: HealthReport) -> str:
    """Draw the report as Markdown with an embedded PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(
        worst_of(report.rows, MOST_BARS),
        key=lambda each: (each.source, each.endpoint),
        reverse=True,
    )
    figure = Figure(figsize=(8, max(2.0, 0.17 * len(rows) + 1)), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    names = [f"{'' if each.state == HEALTHY else '● '}{each.endpoint}" for each in rows]
    left = [0.0] * len(rows)
    for index, (label, colour) in enumerate(
        (("live", LIVE), ("healed", HEALED), ("failed", FAILED), ("nobody asked", IDLE))
    ):
        widths = [shares(each)[index] for each in rows]
        axes.barh(names, widths, left=left, color=colour, label=label, height=0.8)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of readers' requests, or of probes where nobody read")
    axes.tick_params(axis="y", labelsize=6)
    axes.margins(y=0.01)
    hours = report.window_s / 3600
    of_all = (
        f", the {len(rows)} worst of {len(report.rows):,}" if len(rows) < len(report.rows) else ""
    )
    axes.set_title(
        f"Health over {hours:g} h to {report.report_at:%Y-%m-%d %H:%M} UTC{of_all}", fontsize=9
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=4, fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    image = buffer.getvalue()
    if len(image) > MOST_BYTES:
        return f"The plot of {len(rows)} endpoints is too large to store; see `healing report`."
    return f"![health](data:image/png;base64,{base64.b64encode(image).decode()})"


def worst_of(rows: Sequence[EndpointHealth], most: int) -> list[EndpointHealth]:
    """So many rows at most, the least healthy first."""
    return sorted(rows, key=lambda each: (each.state == HEALTHY, shares(each)[0], each.endpoint))[
        :most
    ]


def shares(row: EndpointHealth) -> tuple[float, float, float, float]:
    """Live, healed, failed and unknown parts of one endpoint; they add up to 1."""
    if row.requests:
        failed = row.reader_errors / row.requests
        healed = min(row.healed_requests / row.requests, 1 - failed)
        return 1 - healed - failed, healed, failed, 0.0
    if row.uptime is not None:
        return row.uptime, 0.0, 1 - row.uptime, 0.0
    return 0.0, 0.0, 0.0, 1.0
