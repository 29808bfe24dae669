"""Notes about the markets: a small Dagster project made of components."""
