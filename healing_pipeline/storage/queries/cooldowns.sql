-- Who was told to wait, shared by all processes. Seconds come in and go out; moments are the
-- database's own.

-- name: listen_to_cooldowns()#
LISTEN healing_cooldown;

-- name: note_cooldown(source, kind, name, cause, remaining_s)!
-- Touches no row when it is known until later already. A row from the future, written before the
-- database's clock was set back, gives way.
INSERT INTO cooldown AS known (source, kind, name, cause, until)
VALUES (:source, :kind, :name, :cause,
        clock_timestamp() + make_interval(secs => :remaining_s::float8))
ON CONFLICT (source, kind, name) DO UPDATE
   SET cause = EXCLUDED.cause, until = EXCLUDED.until, told_at = EXCLUDED.told_at
 WHERE known.until < EXCLUDED.until OR known.told_at > clock_timestamp();

-- name: end_cooldown(source, kind, name, ago_s)!
-- Touches no row when there is none, when it is over already, or when it was told after the call
-- began which showed that it is over.
UPDATE cooldown
   SET cause = 'ok', until = clock_timestamp(), told_at = clock_timestamp()
 WHERE source = :source AND kind = :kind AND name = :name AND cause <> 'ok'
   AND (kind = 'quota' OR until <= clock_timestamp() + interval '1 second')
   AND told_at <= clock_timestamp() - make_interval(secs => :ago_s::float8);

-- name: cooldowns(ended_within_s)
-- Those that stand, and those that a call has shown to be over of late. Empty: nobody waits.
SELECT source, kind, name, cause,
       extract(epoch FROM until - clock_timestamp())::float8 AS remaining_s
  FROM cooldown
 WHERE told_at <= clock_timestamp()
   AND (until > clock_timestamp()
        OR cause = 'ok'
           AND told_at > clock_timestamp() - make_interval(secs => :ended_within_s::float8))
 ORDER BY source, kind, name;
