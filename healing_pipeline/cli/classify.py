"""`healing classify`: judge recorded responses, a JSON line each."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from healing_pipeline.probing.recorded import classify_recorded
from healing_pipeline.providers.registry import PROVIDERS


def classify(index: Path) -> int:
    """Print a verdict for every line of the index; 0 when all of it could be read."""
    classifiers = {name: provider.classify for name, provider in PROVIDERS.items()}
    for verdict in classify_recorded(index, classifiers):
        sys.stdout.write(json.dumps(verdict, ensure_ascii=False) + "\n")
    return 0
