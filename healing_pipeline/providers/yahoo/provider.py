"""Yahoo Finance: charts, quotes and CSV downloads, without a key."""

from __future__ import annotations

from healing_pipeline.providers.spoken import Spoken
from healing_pipeline.providers.yahoo.classification import classify
from healing_pipeline.providers.yahoo.reading import read
from healing_pipeline.providers.yahoo.requests import request, smaller

YAHOO = Spoken("yahoo", request, classify, read, smaller)
