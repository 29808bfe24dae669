"""The language of Yahoo Finance: requests, verdicts, readings."""
