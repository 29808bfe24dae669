"""Definitions that are found by where they lie."""
