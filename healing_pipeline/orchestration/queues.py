"""Which queue a run belongs to, as tags of jobs and assets.

`dagster-celery` reads the tag; other launchers leave it alone, so it is there whoever launches. A
heal must not wait behind what takes minutes, so heals have workers of their own.
"""

QUEUE_TAG = "dagster-celery/queue"

# A heal is mostly waiting for an upstream, and somebody waits for it.
HEAL = {QUEUE_TAG: "heal"}

# What takes a core for seconds, or minutes of PostgreSQL: folds, policies, reports, pruning.
LEARN = {QUEUE_TAG: "learn"}

# All others: the launcher's default queue.
OTHER = "dagster"
