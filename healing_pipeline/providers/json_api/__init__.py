"""Any JSON API: its rules stand in the configuration, not in code."""
