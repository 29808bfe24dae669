-- The outbox: which message goes through which channel, and what became of it.

-- name: unrouted_alerts(look_back)
-- Messages that no channel has yet, the oldest first. They are routed in the order of their ids, so
-- that one that is left can only be among the newest: a transaction that was slow to commit.
SELECT alert.id, alert.at, alert.group_id, alert.kind, alert.level, alert.source, alert.owners
  FROM alert
 WHERE alert.id > COALESCE((SELECT max(delivery.alert_id) FROM delivery), 0) - :look_back
   AND NOT EXISTS (SELECT FROM delivery WHERE delivery.alert_id = alert.id)
 ORDER BY alert.id;

-- name: channels_told(group_id)
-- Channels whose people know of a group, or soon will. Empty: nobody was told.
SELECT DISTINCT delivery.channel
  FROM delivery
  JOIN alert ON alert.id = delivery.alert_id
 WHERE alert.group_id = :group_id AND delivery.channel <> 'web'
   AND delivery.state IN ('pending', 'sent', 'merged')
 ORDER BY delivery.channel;

-- name: add_delivery(alert_id, channel, at)!
-- Touches no row when another process has routed the message.
INSERT INTO delivery (alert_id, channel, state, next_at)
VALUES (:alert_id, :channel, 'pending', :at)
ON CONFLICT (alert_id, channel) DO NOTHING;

-- name: add_sent_delivery(alert_id, channel, at)!
INSERT INTO delivery (alert_id, channel, state, next_at, sent_at)
VALUES (:alert_id, :channel, 'sent', :at, :at)
ON CONFLICT (alert_id, channel) DO NOTHING;

-- name: claim_delivery(channel, now, only)^
-- The most urgent message that is due on a channel; the claim lasts as long as the transaction, so
-- that the death of whoever holds it gives it back at once. Only the oldest of a group can be
-- claimed: two senders never have two messages of one group in hand, and the order is kept. The
-- lock lets others refer to the row, which is how recipients are noted meanwhile.
-- A try is put off by an hour at most: one that is due later than in two was put off before the
-- clock was set back, and is due.
-- Nothing: none is due, or others have them all. `only`: no message but this one.
SELECT delivery.alert_id, delivery.tries, alert.group_id, alert.at
  FROM delivery
  JOIN alert ON alert.id = delivery.alert_id
 WHERE delivery.channel = :channel AND delivery.state = 'pending'
   AND (delivery.next_at <= :now OR delivery.next_at > :now::timestamptz + interval '2 hours')
   AND (:only::bigint IS NULL OR alert.id = :only::bigint)
   AND NOT EXISTS (
       SELECT FROM delivery earlier
         JOIN alert told ON told.id = earlier.alert_id
        WHERE earlier.channel = delivery.channel AND earlier.state = 'pending'
          AND told.group_id = alert.group_id AND told.id < alert.id)
 ORDER BY array_position(ARRAY['critical', 'error', 'warning', 'info'], alert.level::text), alert.id
 LIMIT 1
   FOR NO KEY UPDATE OF delivery SKIP LOCKED;

-- name: waiting_of_group(channel, group_id)
-- Every message about a group that waits for a channel, the oldest first.
SELECT delivery.alert_id
  FROM delivery
  JOIN alert ON alert.id = delivery.alert_id
 WHERE delivery.channel = :channel AND delivery.state = 'pending' AND alert.group_id = :group_id
 ORDER BY delivery.alert_id;

-- name: letters(alert_ids)
-- What is to be said by messages, the oldest first.
SELECT alert.id AS alert_id, alert.at, alert.group_id, alert.kind, alert.level, alert.title,
       alert.body, alert.source, alert.owners, alert.detail,
       alert_group.fingerprint, alert_group.began_at
  FROM alert
  LEFT JOIN alert_group ON alert_group.id = alert.group_id
 WHERE alert.id = ANY(:alert_ids)
 ORDER BY alert.id;

-- name: keep_claim()!
-- A claim must not outlive its holder where the network hides that it is gone.
SET LOCAL idle_in_transaction_session_timeout = '10min';

-- name: mark_sent(alert_id, channel, at, error)!
UPDATE delivery
   SET state = 'sent', sent_at = :at, tries = tries + 1, error = :error
 WHERE alert_id = :alert_id AND channel = :channel AND state = 'pending';

-- name: mark_merged(alert_ids, channel, note)!
UPDATE delivery SET state = 'merged', error = :note
 WHERE alert_id = ANY(:alert_ids) AND channel = :channel AND state = 'pending';

-- name: mark_failed(alert_ids, channel, error)!
UPDATE delivery SET state = 'failed', tries = tries + 1, error = :error
 WHERE alert_id = ANY(:alert_ids) AND channel = :channel AND state = 'pending';

-- name: put_off(alert_id, channel, next_at, error)!
UPDATE delivery SET tries = tries + 1, next_at = :next_at, error = :error
 WHERE alert_id = :alert_id AND channel = :channel AND state = 'pending';

-- name: fail_unknown(channels, before, error)!
-- What waits for a channel that nobody has.
UPDATE delivery SET state = 'failed', error = :error
 WHERE state = 'pending' AND next_at < :before AND channel <> ALL(:channels);

-- name: note_recipient(alert_id, channel, recipient)!
INSERT INTO delivery_recipient (alert_id, channel, recipient)
VALUES (:alert_id, :channel, :recipient)
ON CONFLICT DO NOTHING;

-- name: recipients(alert_id, channel)
-- Empty: nobody has the message, as far as is known.
SELECT recipient FROM delivery_recipient WHERE alert_id = :alert_id AND channel = :channel;

-- name: try_failed_again(channel, now)!
-- All channels when none is named.
UPDATE delivery SET state = 'pending', next_at = :now, tries = 0
 WHERE state = 'failed' AND (:channel::text IS NULL OR channel = :channel::text);

-- name: deliveries(since, limit)
-- What failed first, then what waits after a try that failed, then the rest; the newest first.
SELECT delivery.alert_id, delivery.channel, delivery.state, delivery.tries, delivery.next_at,
       delivery.sent_at, delivery.error, alert.group_id, alert.kind, alert.level, alert.title,
       alert.at
  FROM delivery
  JOIN alert ON alert.id = delivery.alert_id
 WHERE alert.at >= :since AND delivery.channel <> 'web'
 ORDER BY delivery.state <> 'failed', delivery.state <> 'pending', delivery.alert_id DESC,
          delivery.channel
 LIMIT :limit;

-- name: deliveries_of_alerts(alert_ids)
SELECT delivery.alert_id, delivery.channel, delivery.state, delivery.tries, delivery.next_at,
       delivery.sent_at, delivery.error, alert.group_id, alert.kind, alert.level, alert.title,
       alert.at
  FROM delivery
  JOIN alert ON alert.id = delivery.alert_id
 WHERE delivery.alert_id = ANY(:alert_ids)
 ORDER BY delivery.alert_id DESC, delivery.channel;
