"""The language of Alpha Vantage: requests, verdicts, readings."""
