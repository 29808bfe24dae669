-- When each endpoint is asked next, and what asking may cost.

CREATE TABLE healing.probe_schedule (
    endpoint text PRIMARY KEY,
    source text NOT NULL,
    next_at timestamptz NOT NULL,
    interval_s float8 NOT NULL CHECK (interval_s > 0)
);
CREATE INDEX probe_schedule_due ON healing.probe_schedule (source, next_at);

-- One ledger for all processes: a key that ten of them use has still one quota.
CREATE TABLE healing.key_usage (
    source text NOT NULL,
    key_name text NOT NULL,
    window_kind text NOT NULL CHECK (window_kind IN ('minute', 'day', 'month')),
    window_start timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('probe', 'reader')),
    calls int NOT NULL CHECK (calls >= 0),
    PRIMARY KEY (source, key_name, window_kind, window_start, kind)
);
