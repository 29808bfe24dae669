-- What stays quick when weeks of facts are stored.

-- Requests that met a failure are few among all, and reports ask what became of them.
CREATE INDEX answer_that_met_a_failure ON healing.answer (at) WHERE failure_class <> 'ok';

-- What heal runs tried for an incident that has stood open for long.
CREATE INDEX attempt_of_incident ON healing.attempt (incident_id) WHERE incident_id IS NOT NULL;
