-- Facts arrive by COPY in staging tables of the session and are taken over from there, so that a
-- fact that is there already (a lost acknowledgement, a replayed spool) is passed over.

-- name: prepare_staging()#
-- Without the constraints of the real tables: those judge when the facts are taken over.
CREATE TEMP TABLE staging_attempt ON COMMIT DELETE ROWS AS
    SELECT id, request_id, attempt_no, at, origin, source, endpoint, strategy, params, host,
           key_name, failure_class::text, evidence, healed, fidelity::text, seconds, status,
           upstream_calls, late, incident_id, met::text
      FROM attempt WITH NO DATA;
CREATE TEMP TABLE staging_decision ON COMMIT DELETE ROWS AS
    SELECT request_id, decision_no, at, origin, source, endpoint, failure_class::text, policy,
           budget_s, considered, late
      FROM decision WITH NO DATA;
CREATE TEMP TABLE staging_answer ON COMMIT DELETE ROWS AS
    SELECT request_id, at, source, endpoint, fidelity::text, strategy, provider, attempts, seconds,
           failure_class::text, failed, as_of
      FROM answer WITH NO DATA;
CREATE TEMP TABLE staging_probe_result ON COMMIT DELETE ROWS AS
    SELECT id, at, source, endpoint, host, key_name, failure_class::text, evidence, seconds, status,
           as_of, confirms
      FROM probe_result WITH NO DATA;
CREATE TEMP TABLE staging_snapshot ON COMMIT DELETE ROWS AS
    SELECT endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity::text
      FROM snapshot WITH NO DATA;

-- name: copy_attempt()!
COPY staging_attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, params,
                      host, key_name, failure_class, evidence, healed, fidelity, seconds, status,
                      upstream_calls, late, incident_id, met) FROM STDIN;

-- name: copy_decision()!
COPY staging_decision (request_id, decision_no, at, origin, source, endpoint, failure_class, policy,
                       budget_s, considered, late) FROM STDIN;

-- name: copy_answer()!
COPY staging_answer (request_id, at, source, endpoint, fidelity, strategy, provider, attempts,
                     seconds, failure_class, failed, as_of) FROM STDIN;

-- name: copy_probe_result()!
COPY staging_probe_result (id, at, source, endpoint, host, key_name, failure_class, evidence,
                           seconds, status, as_of, confirms) FROM STDIN;

-- name: copy_snapshot()!
COPY staging_snapshot (endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity)
    FROM STDIN;

-- name: take_turn()!
-- Writers of facts take turns until the end of the transaction: `seq` then grows in the order of
-- commits, and a reader's cursor passes no fact by.
SELECT pg_advisory_xact_lock(hashtextextended('healing facts', 0));

-- name: take_over_attempt()!
INSERT INTO attempt (id, request_id, attempt_no, at, origin, source, endpoint, strategy, params,
                     host, key_name, failure_class, evidence, healed, fidelity, seconds, status,
                     upstream_calls, late, incident_id, met)
SELECT * FROM staging_attempt ORDER BY at
ON CONFLICT (id) DO NOTHING;

-- name: take_over_decision()!
INSERT INTO decision (request_id, decision_no, at, origin, source, endpoint, failure_class, policy,
                      budget_s, considered, late)
SELECT * FROM staging_decision ORDER BY at
ON CONFLICT (request_id, decision_no) DO NOTHING;

-- name: take_over_answer()!
INSERT INTO answer (request_id, at, source, endpoint, fidelity, strategy, provider, attempts,
                    seconds, failure_class, failed, as_of)
SELECT * FROM staging_answer ORDER BY at
ON CONFLICT (request_id) DO NOTHING;

-- name: take_over_probe_result()!
INSERT INTO probe_result (id, at, source, endpoint, host, key_name, failure_class, evidence,
                          seconds, status, as_of, confirms)
SELECT * FROM staging_probe_result ORDER BY at
ON CONFLICT (id) DO NOTHING;

-- name: take_over_snapshot()!
-- One statement touches a row once: of several snapshots of one question the newest counts.
INSERT INTO snapshot (endpoint, request_key, fetched_at, as_of, provider, reading, body, fidelity)
SELECT DISTINCT ON (endpoint, request_key) *
  FROM staging_snapshot
 ORDER BY endpoint, request_key, fetched_at DESC
ON CONFLICT (endpoint, request_key) DO UPDATE
   SET fetched_at = EXCLUDED.fetched_at, as_of = EXCLUDED.as_of, provider = EXCLUDED.provider,
       reading = EXCLUDED.reading, body = EXCLUDED.body, fidelity = EXCLUDED.fidelity
 WHERE snapshot.fetched_at < EXCLUDED.fetched_at;
