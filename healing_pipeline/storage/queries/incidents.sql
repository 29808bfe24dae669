-- Incidents and their events. An event is written by the same statement as what it tells of.

-- name: begin_incidents(endpoints, sources, failure_classes, evidences, severities, detected_bys, began_ats, ats, signals, to_states, asks_heals, notes)
-- Begin incidents, each with its first event. What a slow observer says began later than it was seen
-- began when it was seen. Rows go in by the endpoints' order, so that two who begin several of them
-- never wait for each other.
-- An endpoint that has an open one already is not in the answer.
WITH wanted AS (
    SELECT * FROM unnest(
        :endpoints::text[], :sources::text[], :failure_classes::text[], :evidences::text[],
        :severities::text[], :detected_bys::text[], :began_ats::timestamptz[], :ats::timestamptz[],
        :signals::text[], :to_states::text[], :asks_heals::boolean[], :notes::text[])
        AS each (endpoint, source, failure_class, evidence, severity, detected_by, began_at, at,
                 signal, to_state, asks_heal, note)
), begun AS (
    INSERT INTO incident (endpoint, source, state, state_since, failure_class, evidence, severity,
                          detected_by, began_at, detected_at)
    SELECT endpoint, source, to_state, at, failure_class, evidence, severity, detected_by,
           LEAST(began_at, at), at
      FROM wanted
     ORDER BY endpoint
    ON CONFLICT (endpoint) WHERE state <> 'resolved' DO NOTHING
    RETURNING id, endpoint
), told AS (
    INSERT INTO incident_event (incident_id, at, signal, from_state, to_state, note, asks_heal)
    SELECT begun.id, at, signal, NULL, to_state, note, asks_heal
      FROM begun JOIN wanted USING (endpoint)
     ORDER BY begun.id
    RETURNING incident_id, id AS event_id
)
SELECT endpoint, incident_id, event_id
  FROM told JOIN begun ON begun.id = told.incident_id
 ORDER BY event_id;

-- name: move_incident(incident_id, from_state, to_state, signal, at, note, detail, asks_heal, strategy, fidelity, root_cause, place, severity, heal_since)$
-- Move an incident on, if it is still where the caller believes it is, and say so in an event; with
-- `heal_since`, only if the heal that took it then is still the latest one. A step is never earlier
-- than the one before it, where the clock was set back: nothing lasts less than no time.
-- Returns nothing when another worker got there first.
WITH moved AS (
    UPDATE incident
       SET state = :to_state::text,
           state_since = GREATEST(:at::timestamptz, state_since),
           healing_since = CASE WHEN :to_state::text = 'healing'
                                THEN GREATEST(:at::timestamptz, state_since)
                                ELSE healing_since END,
           healed_at = CASE WHEN :to_state::text = 'healed'
                            THEN COALESCE(healed_at, GREATEST(:at::timestamptz, state_since))
                            ELSE healed_at END,
           heals = heals + (:to_state::text = 'healed')::int,
           resolved_at = CASE WHEN :to_state::text = 'resolved'
                              THEN GREATEST(:at::timestamptz, state_since) END,
           strategy = COALESCE(:strategy, strategy),
           fidelity = COALESCE(:fidelity::text, fidelity),
           root_cause = COALESCE(:root_cause, root_cause),
           place = COALESCE(:place, place),
           severity = COALESCE(:severity::text, severity)
     WHERE id = :incident_id AND state = :from_state::text
       AND (:heal_since::timestamptz IS NULL OR healing_since = :heal_since)
    RETURNING id, state_since
)
INSERT INTO incident_event (incident_id, at, signal, from_state, to_state, note, detail, asks_heal)
SELECT id, state_since, :signal, :from_state, :to_state, :note, :detail, :asks_heal FROM moved
RETURNING id;

-- name: open_incidents(source)
-- Incidents that are not resolved, the oldest first; of all sources when `source` is null.
-- Empty: all is well.
SELECT * FROM incident
 WHERE state <> 'resolved' AND (:source::text IS NULL OR source = :source)
 ORDER BY id;

-- name: open_count(source)$
-- How many incidents of a source are not resolved.
SELECT count(*) FROM incident WHERE state <> 'resolved' AND source = :source;

-- name: incident_by_id(incident_id)^
-- Returns nothing when there is no such incident.
SELECT * FROM incident WHERE id = :incident_id;

-- name: open_incident_of(endpoint)^
-- Returns nothing when the endpoint has no open incident.
SELECT * FROM incident WHERE endpoint = :endpoint AND state <> 'resolved';

-- name: recent_incidents(since, limit)
-- Incidents that were open at or after `since`, the newest first.
SELECT * FROM incident
 WHERE resolved_at IS NULL OR resolved_at >= :since
 ORDER BY id DESC
 LIMIT :limit;

-- name: incident_events(incident_id)
-- The steps of an incident, in order. Empty: there is no such incident.
SELECT id, incident_id, at, signal, from_state, to_state, note, detail, asks_heal
  FROM incident_event
 WHERE incident_id = :incident_id
 ORDER BY id;

-- name: heal_requests(source, since_event_id)
-- The newest event of an incident, where it asks for a heal run and the incident still waits where
-- the event put it. Event ids are given out before commit, so a smaller one may appear after a
-- larger one was read: those of the last half minute are told again whatever the cursor says. The
-- run key, which names the event, makes that harmless.
-- Empty: nobody waits for a heal run; or our own connection is down, and a run could reach nobody.
SELECT event.id AS event_id, event.at, event.signal, incident.id AS incident_id,
       incident.endpoint, incident.source, incident.failure_class, incident.evidence,
       incident.severity
  FROM incident_event AS event
  JOIN incident ON incident.id = event.incident_id
 WHERE event.asks_heal
   AND (:source::text IS NULL OR incident.source = :source)
   AND (event.id > :since_event_id OR event.recorded_at > now() - interval '30 seconds')
   AND incident.state <> 'resolved'
   AND incident.state = event.to_state
   AND NOT EXISTS (SELECT FROM own_outage WHERE ended_at IS NULL)
   AND NOT EXISTS (SELECT FROM incident_event AS later
                    WHERE later.incident_id = event.incident_id AND later.id > event.id)
 ORDER BY event.id;
