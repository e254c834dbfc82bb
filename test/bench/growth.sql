-- A ledger table that is as narrow as one can be, so that the log can be long.
CREATE SCHEMA bench;
CREATE TABLE bench.step (id bigint PRIMARY KEY, value integer NOT NULL);

-- Rows first .. last, an entry each.
CREATE PROCEDURE bench.grow(first bigint, last bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		INSERT INTO bench.step VALUES (i, i % 1000);
		COMMIT;
	END LOOP;
END
$$;

-- Milliseconds that the query, which takes one number, needs for a number from 0 to below upper: the median of many.
CREATE FUNCTION bench.milliseconds(query text, upper bigint, tries integer DEFAULT 200) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	took double precision[] := '{}';
BEGIN
	PERFORM setseed(0.5);
	FOR i IN 1 .. tries LOOP
		began := clock_timestamp();
		EXECUTE query USING trunc(random() * upper)::bigint;
		took := took || extract(epoch FROM clock_timestamp() - began)::double precision * 1000;
	END LOOP;
	RETURN percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(took) t;
END
$$;
