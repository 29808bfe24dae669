"""Yahoo Finance: charts, quotes and CSV downloads, without a key."""

from __future__ import annotations

from healing_pipeline.providers.spoken import Spoken
from healing_pipeline.providers.yahoo.classification import classify
from healing_pipeline.providers.yahoo.glance import glance
from healing_pipeline.providers.yahoo.questions import daily, merged, part, subject, substituted
from healing_pipeline.providers.yahoo.reading import read
from healing_pipeline.providers.yahoo.rendering import rendered
from healing_pipeline.providers.yahoo.requests import request, smaller
from healing_pipeline.providers.yahoo.session import SESSION

YAHOO = Spoken(
    "yahoo",
    request,
    classify,
    read,
    smaller,
    subject=subject,
    substituted=substituted,
    daily=daily,
    merged=merged,
    part=part,
    rendered=rendered,
    session=SESSION,
    glance=glance,
)
