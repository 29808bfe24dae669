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
