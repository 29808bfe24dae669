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
