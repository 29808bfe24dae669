-- What the pages of the dashboard read.

-- name: limit_statement(limit_ms)!
-- Nobody looks at a page for longer; until the end of the transaction.
SELECT set_config('statement_timeout', :limit_ms::text, true);

-- name: read_only()!
SET TRANSACTION READ ONLY;
