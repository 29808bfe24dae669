"""Reports on health: their columns, their totals, their picture. Pure."""
