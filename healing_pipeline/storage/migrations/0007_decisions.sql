-- What a strategy was used against; null for the plain first call.
ALTER TABLE healing.attempt ADD COLUMN met healing.failure_class;

-- Each choice among strategies with all that decided it, so that it can be made again.
CREATE TABLE healing.decision (
    request_id uuid NOT NULL,
    decision_no int NOT NULL, -- 1 for the first; another after each attempt that failed
    at timestamptz NOT NULL,
    origin text NOT NULL CHECK (origin IN ('reader', 'probe', 'heal')),
    source text NOT NULL,
    endpoint text NOT NULL,
    failure_class healing.failure_class NOT NULL,
    policy text, -- how its fingerprint begins; null when nothing was learned yet
    budget_s float8 NOT NULL,
    considered jsonb NOT NULL,
    late boolean NOT NULL DEFAULT false, -- made after the reader had been answered
    PRIMARY KEY (request_id, decision_no)
);
CREATE INDEX decision_by_time ON healing.decision (at);
CREATE TRIGGER decision_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.decision
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();
