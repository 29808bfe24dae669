"""Alpha Vantage: series, quotes and exchange rates, all under /query."""

from __future__ import annotations

from healing_pipeline.providers.alpha_vantage.classification import classify
from healing_pipeline.providers.alpha_vantage.glance import glance
from healing_pipeline.providers.alpha_vantage.questions import daily, subject
from healing_pipeline.providers.alpha_vantage.reading import read
from healing_pipeline.providers.alpha_vantage.rendering import rendered
from healing_pipeline.providers.alpha_vantage.requests import request, smaller
from healing_pipeline.providers.spoken import Spoken

ALPHA_VANTAGE = Spoken(
    "alpha_vantage",
    request,
    classify,
    read,
    smaller,
    subject=subject,
    daily=daily,
    rendered=rendered,
    glance=glance,
)
