-- Failures are few among what was seen: reports find the newest of them, and what was tried against
-- them, without reading the rest.

CREATE INDEX probe_result_that_failed ON healing.probe_result (at) WHERE failure_class <> 'ok';
CREATE INDEX attempt_that_failed
    ON healing.attempt (at) WHERE strategy = 'plain' AND failure_class <> 'ok';
CREATE INDEX attempt_of_strategy ON healing.attempt (at) WHERE strategy <> 'plain';
