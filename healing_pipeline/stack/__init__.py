"""The whole stack on one machine: PostgreSQL, simulated upstreams, Dagster; started and stopped."""
