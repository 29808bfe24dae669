"""Dagster's edge: it asks, translates, requests. Rules live in the core, work in `control`."""
