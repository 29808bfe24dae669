"""Polygon.io (now Massive): bars and last trades; the key goes into a header."""

from __future__ import annotations

from healing_pipeline.providers.polygon.classification import classify
from healing_pipeline.providers.polygon.glance import glance
from healing_pipeline.providers.polygon.questions import daily, subject
from healing_pipeline.providers.polygon.reading import read
from healing_pipeline.providers.polygon.rendering import rendered
from healing_pipeline.providers.polygon.requests import request, smaller
from healing_pipeline.providers.spoken import Spoken

POLYGON = Spoken(
    "polygon",
    request,
    classify,
    read,
    smaller,
    subject=subject,
    daily=daily,
    rendered=rendered,
    glance=glance,
)
