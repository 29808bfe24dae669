-- What happened: attempts, answers, probe results. Their ids come from whoever saw it happen, so
-- that writing the same fact again (a lost acknowledgement, a replayed spool) changes nothing.

CREATE TABLE healing.attempt (
    id uuid PRIMARY KEY,
    -- The order of arrival, for cursors. Writers of facts take turns (see recorder.sql), so that a
    -- smaller number is never committed after a larger one: a cursor passes nothing by.
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    request_id uuid NOT NULL,
    attempt_no int NOT NULL,
    at timestamptz NOT NULL,
    origin text NOT NULL CHECK (origin IN ('reader', 'probe', 'heal')),
    source text NOT NULL,
    endpoint text NOT NULL,
    strategy text NOT NULL, -- 'plain' is the untouched first call
    params jsonb NOT NULL DEFAULT '{}',
    host text,
    key_name text,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    healed boolean NOT NULL,
    fidelity healing.fidelity,
    seconds float8 NOT NULL,
    status int,
    upstream_calls int NOT NULL,
    late boolean NOT NULL DEFAULT false,
    -- Without a foreign key: a fact from a spool may outlive its incident.
    incident_id bigint
);
CREATE INDEX attempt_by_endpoint ON healing.attempt (endpoint, at);
CREATE INDEX attempt_by_time ON healing.attempt (at);
CREATE INDEX attempt_by_source ON healing.attempt (source, at);
CREATE INDEX attempt_by_request ON healing.attempt (request_id);
CREATE TRIGGER attempt_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.attempt
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

CREATE TABLE healing.answer (
    request_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    source text NOT NULL,
    endpoint text NOT NULL,
    fidelity healing.fidelity,
    strategy text,
    provider text,
    attempts int NOT NULL,
    seconds float8 NOT NULL,
    failure_class healing.failure_class, -- what the first attempt met; null when nothing was wrong
    failed boolean NOT NULL,
    as_of timestamptz
);
CREATE INDEX answer_by_endpoint ON healing.answer (endpoint, at);
CREATE INDEX answer_by_time ON healing.answer (at);
CREATE TRIGGER answer_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.answer
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

CREATE TABLE healing.probe_result (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    source text NOT NULL,
    endpoint text NOT NULL,
    host text NOT NULL,
    key_name text,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    seconds float8 NOT NULL,
    status int,
    as_of timestamptz,
    confirms uuid -- the probe whose finding this second look confirms
);
CREATE INDEX probe_result_by_endpoint ON healing.probe_result (endpoint, at);
CREATE INDEX probe_result_by_time ON healing.probe_result (at);
CREATE TRIGGER probe_result_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.probe_result
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Wakes the control path the moment a reader met a failure, healed or not. Equal messages of one
-- transaction arrive as one.
CREATE FUNCTION healing.tell_failed_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'healing_answer_failed',
        json_build_object('endpoint', NEW.endpoint, 'source', NEW.source)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER answer_met_a_failure AFTER INSERT ON healing.answer
    FOR EACH ROW WHEN (NEW.failed OR NEW.failure_class IS NOT NULL)
    EXECUTE FUNCTION healing.tell_failed_answer();
