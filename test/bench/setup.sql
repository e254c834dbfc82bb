-- Every variant's database beside pgbench's own four tables.

CREATE SCHEMA bench;

-- COPY and UPDATE: six columns
CREATE TABLE bench.bulk (
	id bigint PRIMARY KEY,
	kind integer NOT NULL,
	amount numeric(14,2) NOT NULL,
	at timestamptz NOT NULL,
	code text NOT NULL,
	remark text NOT NULL
);

-- single-row INSERT
CREATE TABLE bench.single (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	account integer NOT NULL,
	amount numeric(14,2) NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	remark text NOT NULL
);

-- A transaction for each row, without a client: round trips would hide what the processor does.
CREATE PROCEDURE bench.insert_rows(n integer, per_transaction integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		INSERT INTO bench.single (account, amount, remark) VALUES (i, i / 100.0, 'payment of an invoice');
		IF i % per_transaction = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;

-- What the clients of this database wait for, looked at every ten milliseconds. The statement's first word tells where the wait
-- happened: without a ledger nothing but WAL is written in an END.
CREATE FUNCTION bench.sample_waits(seconds double precision)
RETURNS TABLE (statement text, wait_type text, wait_event text, relation text, samples bigint)
LANGUAGE plpgsql AS $$
DECLARE
	stop timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
	CREATE TEMPORARY TABLE sample (statement text, pid integer, wait_type text, wait_event text, relation text) ON COMMIT DROP;
	WHILE clock_timestamp() < stop LOOP
		PERFORM pg_stat_clear_snapshot();
		INSERT INTO sample
		SELECT upper(substring(query FROM '^\s*(\w+)')), pid, wait_event_type, a.wait_event
		  FROM pg_stat_activity a
		 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle';
		IF EXISTS (SELECT FROM sample s WHERE s.wait_type = 'Lock' AND s.relation IS NULL) THEN
			-- A lock may have been granted since; what it was for is then unknown.
			UPDATE sample s
			   SET relation = coalesce((SELECT l.relation::regclass::text FROM pg_locks l
										 WHERE l.pid = s.pid AND NOT l.granted AND l.relation IS NOT NULL LIMIT 1), '-')
			 WHERE s.wait_type = 'Lock' AND s.relation IS NULL;
		END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN QUERY
	SELECT s.statement, s.wait_type, s.wait_event, s.relation, count(*) FROM sample s GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC;
END
$$;
