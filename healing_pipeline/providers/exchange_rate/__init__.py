"""The language of ExchangeRate-API and its siblings: requests, verdicts, readings."""
