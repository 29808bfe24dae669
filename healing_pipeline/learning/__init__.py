"""Nested learning: what worked where becomes a policy, which orders the strategies of a plan.

Two layers: the *inner* one per source by the hour forgets by observation; the *outer* one over all
sources by the day never forgets and is the prior that every source, and every new source, starts
from. `fit` makes a `Policy` of attempts; the assets make the same one of counts by hour and day.

Everything here is pure: no database, no Dagster, no clock. `Policy` needs the standard library
alone, because the data path asks it inside a reader's deadline; pandas and numpy are loaded when
something is fitted.
"""

from healing_pipeline.learning.fitting import fit
from healing_pipeline.learning.policy import Policy

__all__ = ["Policy", "fit"]
