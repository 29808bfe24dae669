"""The control path without Dagster: watch what is due, heal what was opened, settle what was healed.

Dagster's sensors and ops call these functions, and so does a drill that runs in one process.
"""
