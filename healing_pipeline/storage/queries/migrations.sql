-- What has been done to this database.

-- name: take_turn(name)!
-- Wait until no other process migrates; lasts until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended(:name, 0));

-- name: ensure_ledger()#
CREATE SCHEMA IF NOT EXISTS healing;
CREATE TABLE IF NOT EXISTS healing.schema_migration (
    number int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: ledger_exists()$
SELECT to_regclass('healing.schema_migration') IS NOT NULL;

-- name: applied_migrations()
SELECT number, name, sha256 FROM healing.schema_migration ORDER BY number;

-- name: note_migration(number, name, sha256)!
INSERT INTO healing.schema_migration (number, name, sha256) VALUES (:number, :name, :sha256);
