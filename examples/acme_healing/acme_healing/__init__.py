"""Acme's prices for healing_pipeline: a source, and a remedy of its own."""
