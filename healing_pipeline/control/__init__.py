"""The control path without Dagster: watch what is due, heal what was opened, settle the rest.

Dagster's sensors and ops call these functions, and so does a drill that runs in one process.
"""
