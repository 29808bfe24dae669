-- How many of a key's calls a minute each process may make.

-- name: listen_to_shares()#
LISTEN healing_share;

-- name: take_turn()#
-- One process at a time settles its shares, until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('healing key shares', 0));

-- name: claims_of_others(process, gone_s)
-- What other processes hold, but for those that are gone: nothing of the minute before is theirs any
-- more. Empty: this process is alone.
SELECT source, key_name, process::text, held, wanted
  FROM key_share
 WHERE process <> :process::uuid
   AND seen_at > clock_timestamp() - make_interval(secs => :gone_s::float8)
   AND seen_at <= clock_timestamp() + interval '1 second';

-- name: put_shares(process, sources, key_names, shares, helds, wanteds)!
INSERT INTO key_share (process, source, key_name, share, held, wanted)
SELECT :process::uuid, own.*
  FROM unnest(:sources::text[], :key_names::text[], :shares::int[], :helds::int[],
              :wanteds::int[]) AS own
ON CONFLICT (source, key_name, process) DO UPDATE
   SET share = EXCLUDED.share, held = EXCLUDED.held, wanted = EXCLUDED.wanted,
       seen_at = EXCLUDED.seen_at;

-- name: forget_gone(gone_s)!
-- Touches no row when none is gone.
DELETE FROM key_share
 WHERE seen_at < clock_timestamp() - make_interval(secs => :gone_s::float8);

-- name: tell_others()#
-- Let those who hold more than their part settle now.
SELECT pg_notify('healing_share', '');
