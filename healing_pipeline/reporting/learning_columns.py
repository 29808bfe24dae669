"""The columns of what was learned, declared once: name, type, meaning."""

from __future__ import annotations

from healing_pipeline.reporting.columns import Column

_COUNTS = (
    Column("tries", "int", "Attempts, those after the reader's deadline included"),
    Column("healed", "int", "Of those, the ones that healed"),
    Column("exact", "int", "Of the healed, the ones whose data was exact"),
    Column("late_tries", "int", "Of the attempts, the ones that ended after the deadline"),
    Column("late_healed", "int", "Of those, the ones that healed"),
    Column("ms", "int", "Milliseconds of all attempts"),
)

INNER_KNOWLEDGE_COLUMNS = (
    Column("hour", "timestamp", "Begin of the UTC hour"),
    Column("source", "string", "Whose endpoints failed"),
    Column("failure_class", "string", "How they failed"),
    Column("strategy", "string", "What was tried against it"),
    *_COUNTS,
    Column("outcomes", "string", "1 healed, 0 did not; oldest first, the last 256"),
)

OUTER_KNOWLEDGE_COLUMNS = (
    Column("day", "timestamp", "Begin of the UTC day"),
    Column("source", "string", "Whose endpoints failed"),
    Column("failure_class", "string", "How they failed"),
    Column("strategy", "string", "What was tried against it"),
    *_COUNTS,
)

POLICY_COLUMNS = (
    Column("version", "int", "Counts up"),
    Column("as_of", "timestamp", "Nothing later taught it"),
    Column("made_at", "timestamp", "When it was made"),
    Column("fingerprint", "string", "SHA-256 of the document"),
    Column("document", "string", "The policy as JSON"),
    Column("status", "string", "published, or refused because it would heal less"),
    Column("reason", "string", "What the last day's failures say of it"),
    Column("events", "int", "The last day's failures"),
    Column("value_new", "float", "Share of them that it would heal within the budget"),
    Column("value_old", "float", "Share that the active policy would heal"),
    Column("standard_error", "float", "Of the difference, paired"),
)
