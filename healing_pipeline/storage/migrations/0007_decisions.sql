-- What a strategy was used against; null for the plain first call.
ALTER TABLE healing.attempt ADD COLUMN met healing.failure_class;
