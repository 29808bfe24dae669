-- When alerts were last evaluated: that nobody does can be told by whoever shows them.

CREATE TABLE healing.alert_evaluation (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT alert_evaluation_only_one CHECK (only_one),
    evaluated_at timestamptz NOT NULL
);
