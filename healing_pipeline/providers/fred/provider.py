"""FRED: observations of economic series."""

from __future__ import annotations

from healing_pipeline.providers.fred.classification import classify
from healing_pipeline.providers.fred.glance import glance
from healing_pipeline.providers.fred.questions import subject, substituted
from healing_pipeline.providers.fred.reading import read
from healing_pipeline.providers.fred.rendering import rendered
from healing_pipeline.providers.fred.requests import request, smaller
from healing_pipeline.providers.spoken import Spoken

FRED = Spoken(
    "fred",
    request,
    classify,
    read,
    smaller,
    subject=subject,
    substituted=substituted,
    rendered=rendered,
    glance=glance,
)
