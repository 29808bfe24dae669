"""Drills: faults by script, readers by schedule, and a score on data whose truth is known."""
