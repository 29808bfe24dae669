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
