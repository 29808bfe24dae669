"""The language of Polygon: requests, verdicts, readings."""
