-- What a diagnosis rests on, and every verdict that was reached.

-- name: diagnosis_turn()$
-- False: another process is writing what it found. Nobody waits for that, so that whoever holds
-- incidents of its own and whoever joins them never wait for each other.
SELECT pg_try_advisory_xact_lock(hashtextextended('healing diagnosis', 0));

-- name: failing(sources)
-- Open incidents, the first detected first; of some sources, or of all when `sources` is null.
-- Empty: all is well.
SELECT id, endpoint, source, failure_class::text, left(evidence, 300) AS evidence,
       severity::text, root_cause, place, parent_id, began_at, detected_at
  FROM incident
 WHERE state <> 'resolved' AND (:sources::text[] IS NULL OR source = ANY (:sources))
 ORDER BY detected_at, id;

-- name: seen_lately(endpoints, since, until, most)
-- The newest probes of endpoints, and as many of the newest calls for them, good and bad. A call to
-- another provider's endpoint says nothing of their own hosts, and their names may be the same ones.
-- Empty: nobody asked.
SELECT seen.*, wanted.endpoint
  FROM unnest(:endpoints::text[]) AS wanted (endpoint)
 CROSS JOIN LATERAL (
       (SELECT at, source, host, key_name, failure_class::text, left(evidence, 200) AS evidence,
               'probe' AS how
          FROM probe_result
         WHERE endpoint = wanted.endpoint AND at >= :since AND at < :until
         ORDER BY at DESC
         LIMIT :most)
       UNION ALL
       (SELECT at, source, host, key_name, failure_class::text, left(evidence, 200), strategy
          FROM attempt
         WHERE endpoint = wanted.endpoint AND at >= :since AND at < :until
           AND upstream_calls > 0 AND host IS NOT NULL AND strategy <> 'fallback_provider'
         ORDER BY at DESC
         LIMIT :most)) AS seen;

-- name: free_incidents(ids)
-- Of some open incidents, those that nobody else has in hand; held until the end of the transaction.
-- The others are seen to the next time.
SELECT id FROM incident
 WHERE id = ANY (:ids::bigint[]) AND state <> 'resolved'
   FOR NO KEY UPDATE SKIP LOCKED;

-- name: join_incidents(ids, parents, root_causes, places, severities)!
-- Say of incidents what they are part of, what broke and where.
UPDATE incident
   SET parent_id = wanted.parent_id, root_cause = wanted.root_cause, place = wanted.place,
       severity = wanted.severity
  FROM unnest(:ids::bigint[], :parents::bigint[], :root_causes::text[], :places::text[],
              :severities::text[]) AS wanted (id, parent_id, root_cause, place, severity)
 WHERE incident.id = wanted.id;

-- name: adopt_members(olds, news)!
-- Members of what became a member itself go over to its parent, those that are over included: a
-- joint incident has one parent, and no grandparents. One that somebody has in hand goes the next
-- time.
UPDATE incident
   SET parent_id = wanted.new
  FROM unnest(:olds::bigint[], :news::bigint[]) AS wanted (old, new)
 WHERE incident.parent_id = wanted.old AND incident.id <> wanted.new
   AND incident.id IN (SELECT id FROM incident AS member
                        WHERE member.parent_id = ANY (:olds::bigint[])
                          FOR NO KEY UPDATE SKIP LOCKED);

-- name: add_diagnosis(incident_id, at, root_cause, place, scope, members, severity, chain, rested_on)*!
INSERT INTO diagnosis (incident_id, at, root_cause, place, scope, members, severity, chain, rested_on)
VALUES (:incident_id, :at, :root_cause, :place, :scope, :members, :severity::text, :chain, :rested_on);

-- name: latest_diagnoses(incident_ids)
-- The newest verdict on each of some joint incidents; one that has none is not in the answer.
SELECT newest.*
  FROM unnest(:incident_ids::bigint[]) AS wanted (incident_id)
 CROSS JOIN LATERAL (
       SELECT id, incident_id, at, root_cause, place, scope, members, severity::text, chain, rested_on
         FROM diagnosis
        WHERE diagnosis.incident_id = wanted.incident_id
        ORDER BY id DESC
        LIMIT 1) AS newest;

-- name: diagnoses_of(incident_ids, limit)
-- The verdicts on a joint incident and on those that joined it, the newest first. Empty: it was never
-- diagnosed.
SELECT id, incident_id, at, root_cause, place, scope, members, severity::text, chain, rested_on
  FROM diagnosis
 WHERE incident_id = ANY (:incident_ids::bigint[])
 ORDER BY id DESC
 LIMIT :limit;
