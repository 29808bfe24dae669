"""The language of FRED: requests, verdicts, readings."""
