-- Policies, by version; the newest publication names the one in force.

-- name: active_policy()^
-- Nothing: no policy was published yet.
SELECT version, fingerprint, document FROM policy_active;

-- name: take_turn()!
-- Whoever publishes sees what was published before.
SELECT pg_advisory_xact_lock(hashtextextended('healing policy', 0));

-- name: add_policy(as_of, made_at, fingerprint, document, status, reason, events, value_new, value_old, standard_error, value_floor, value_ceiling)$
INSERT INTO policy (as_of, made_at, fingerprint, document, status, reason, events, value_new,
                    value_old, standard_error, value_floor, value_ceiling)
VALUES (:as_of, :made_at, :fingerprint, :document, :status, :reason, :events, :value_new,
        :value_old, :standard_error, :value_floor, :value_ceiling)
RETURNING version;

-- name: publish(version, at, reason, is_rollback)!
INSERT INTO policy_publication (version, at, reason, is_rollback)
VALUES (:version, :at, :reason, :is_rollback);

-- name: newest_publication()^
-- Nothing: no policy was published yet.
SELECT version, at, reason, is_rollback FROM policy_publication ORDER BY id DESC LIMIT 1;

-- name: published_before(version)$
-- The last version before one that was in force; null when there is none.
SELECT max(version) FROM policy_publication WHERE version < :version;

-- name: policy_versions(at_most)
-- The newest first, the active one marked. Empty: no policy was made yet.
SELECT version, as_of, made_at, fingerprint, status, reason, events, value_new, value_old,
       standard_error,
       version = (SELECT version FROM policy_active) AS is_active,
       (SELECT max(at) FROM policy_publication
         WHERE policy_publication.version = policy.version) AS published_at
  FROM policy
 ORDER BY version DESC
 LIMIT :at_most;

-- name: policy_status(version)$
-- Null: there is no such version.
SELECT status FROM policy WHERE version = :version;

-- name: policy_document(version)$
-- Null: there is no such version.
SELECT document FROM policy WHERE version = :version
