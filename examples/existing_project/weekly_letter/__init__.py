"""A letter about the week's prices: a small Dagster project, as there are many."""
