"""ExchangeRate-API and its likes: tables and pairs of exchange rates."""

from __future__ import annotations

from healing_pipeline.providers.exchange_rate.classification import classify
from healing_pipeline.providers.exchange_rate.glance import glance
from healing_pipeline.providers.exchange_rate.questions import merged, part, subject
from healing_pipeline.providers.exchange_rate.reading import read
from healing_pipeline.providers.exchange_rate.rendering import rendered
from healing_pipeline.providers.exchange_rate.requests import request, smaller
from healing_pipeline.providers.spoken import Spoken

EXCHANGE_RATE = Spoken(
    "exchange_rate",
    request,
    classify,
    read,
    smaller,
    subject=subject,
    merged=merged,
    part=part,
    rendered=rendered,
    glance=glance,
)
