-- The schema as all migrations together leave it: to be read, and compared with them by a test.
-- A change goes into a new migration and, as its result, here.

CREATE SCHEMA healing;

-- Which migrations were applied to this database.
CREATE TABLE healing.schema_migration (
    number int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- The words that every table shares. A domain keeps one word list for all columns.

CREATE DOMAIN healing.failure_class AS text CONSTRAINT failure_class_known CHECK (VALUE IN (
    'ok', 'timeout', 'slow', 'network_error', 'server_error', 'rate_limit', 'quota_exhausted',
    'bot_block', 'auth_error', 'plan_limit', 'not_found', 'bad_request', 'invalid_data', 'empty',
    'stale_data'));

CREATE DOMAIN healing.fidelity AS text CONSTRAINT fidelity_known CHECK (VALUE IN (
    'exact', 'stale', 'coarser', 'proxy'));

CREATE DOMAIN healing.incident_state AS text CONSTRAINT incident_state_known CHECK (VALUE IN (
    'open', 'healing', 'healed', 'escalated', 'resolved'));

CREATE DOMAIN healing.severity AS text CONSTRAINT severity_known CHECK (VALUE IN (
    'info', 'warning', 'error', 'critical'));

-- Facts are appended, never changed: everything learned is a fold over them, and a fold over facts
-- that change gives another table every time. Only pruning may take old ones away, and says so
-- with SET LOCAL healing.prune = 'on'.
CREATE FUNCTION healing.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('healing.prune', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% on healing.% is refused: facts are appended, never changed',
            TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'Append a new fact; to prune old ones, SET LOCAL healing.prune = ''on''.';
END
$$;

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

-- Incidents, from the first bad observation to recovery, and every step they took.

CREATE TABLE healing.incident (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    source text NOT NULL,
    state healing.incident_state NOT NULL,
    state_since timestamptz NOT NULL,
    failure_class healing.failure_class NOT NULL,
    evidence text NOT NULL,
    severity healing.severity NOT NULL,
    root_cause text,
    detected_by text NOT NULL,
    began_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    healing_since timestamptz, -- of the latest heal
    healed_at timestamptz, -- the first time readers were served again
    resolved_at timestamptz,
    strategy text,
    fidelity healing.fidelity,
    heals int NOT NULL DEFAULT 0, -- how often it was healed
    -- MTTD is detected_at - began_at.
    CONSTRAINT incident_began_before_it_was_detected CHECK (began_at <= detected_at),
    -- MTTR is resolved_at - began_at: an incident without the one is not resolved, nor with it open.
    CONSTRAINT incident_resolved_has_its_time CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
-- An endpoint has at most one incident at a time, however many sensors tick.
CREATE UNIQUE INDEX incident_one_open_per_endpoint
    ON healing.incident (endpoint) WHERE state <> 'resolved';
CREATE INDEX incident_by_endpoint ON healing.incident (endpoint, began_at);
CREATE INDEX incident_by_time ON healing.incident (began_at);

CREATE TABLE healing.incident_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES healing.incident (id),
    at timestamptz NOT NULL,
    signal text NOT NULL,
    from_state healing.incident_state, -- null for the event that began it
    to_state healing.incident_state NOT NULL,
    note text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    asks_heal boolean NOT NULL,
    -- The database's own clock, where `at` may be a simulated one: see heal_requests.
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX incident_event_by_incident ON healing.incident_event (incident_id, id);
CREATE INDEX incident_event_that_asks ON healing.incident_event (id) WHERE asks_heal;
CREATE TRIGGER incident_event_is_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON healing.incident_event
    FOR EACH STATEMENT EXECUTE FUNCTION healing.refuse_change();

-- Whoever waits for news hears of every step as it is committed.
CREATE FUNCTION healing.tell_incident_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A notice holds 8000 bytes at most, and a note may be an upstream's whole page.
    PERFORM pg_notify('healing_incident', json_build_object(
                'event_id', NEW.id,
                'incident_id', NEW.incident_id,
                'endpoint', incident.endpoint,
                'failure_class', incident.failure_class,
                'signal', NEW.signal,
                'to_state', NEW.to_state,
                'strategy', incident.strategy,
                'fidelity', incident.fidelity,
                'since_detected_s', extract(epoch FROM NEW.at - incident.detected_at),
                'note', left(NEW.note, 200))::text)
       FROM healing.incident
      WHERE incident.id = NEW.incident_id;
    RETURN NULL;
END
$$;
CREATE TRIGGER incident_event_is_told AFTER INSERT ON healing.incident_event
    FOR EACH ROW EXECUTE FUNCTION healing.tell_incident_event();

-- What healing leaves behind for the next reader: routes and snapshots.

CREATE TABLE healing.route (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint text NOT NULL,
    strategy text NOT NULL,
    params jsonb NOT NULL DEFAULT '{}',
    fidelity healing.fidelity NOT NULL,
    incident_id bigint NOT NULL REFERENCES healing.incident (id),
    created_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
-- A reader follows one route: two would make the answer depend on which was read first.
CREATE UNIQUE INDEX route_one_active_per_endpoint
    ON healing.route (endpoint) WHERE withdrawn_at IS NULL;
CREATE INDEX route_by_incident ON healing.route (incident_id);

CREATE FUNCTION healing.tell_route() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('healing_route', json_build_object(
        'endpoint', NEW.endpoint,
        'active', NEW.withdrawn_at IS NULL)::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER route_is_told AFTER INSERT OR UPDATE ON healing.route
    FOR EACH ROW EXECUTE FUNCTION healing.tell_route();

CREATE TABLE healing.snapshot (
    endpoint text NOT NULL,
    request_key text NOT NULL,
    fetched_at timestamptz NOT NULL,
    as_of timestamptz NOT NULL,
    provider text NOT NULL,
    reading jsonb NOT NULL,
    body bytea NOT NULL,
    fidelity healing.fidelity NOT NULL,
    PRIMARY KEY (endpoint, request_key)
);
CREATE INDEX snapshot_by_time ON healing.snapshot (fetched_at);

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

-- What people are told: alerts and the health report.

-- An alert is saved with what caused it and sent afterwards: a channel that is down loses none.
CREATE TABLE healing.alert (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    incident_id bigint REFERENCES healing.incident (id),
    level healing.severity NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- One alert per matter, however many runs notice it.
    dedupe_key text NOT NULL UNIQUE,
    sent_at timestamptz
);
CREATE INDEX alert_by_time ON healing.alert (at);
CREATE INDEX alert_by_incident ON healing.alert (incident_id);

CREATE TABLE healing.health_report (
    report_at timestamptz NOT NULL,
    endpoint text NOT NULL,
    source text NOT NULL,
    window_s float8 NOT NULL,
    probes int NOT NULL,
    failures int NOT NULL, -- of the probes; the caller's faults are in neither number
    requests int NOT NULL,
    met_fault int NOT NULL, -- requests whose first attempt met a healable failure
    healed_requests int NOT NULL, -- of met_fault
    reader_errors int NOT NULL, -- of requests
    incidents int NOT NULL, -- that stood open at any moment of the window
    uptime float8, -- 1 - failures / probes; null without probes
    error_rate float8, -- reader_errors / requests; null without requests
    healing_rate float8, -- healed_requests / met_fault; null when nothing was met
    p50_s float8, -- of readers' waits; of probes where nobody read
    p95_s float8,
    fidelity_now healing.fidelity,
    state text NOT NULL,
    active_strategy text,
    PRIMARY KEY (report_at, endpoint)
);
