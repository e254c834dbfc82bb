-- The audit trigger that everybody writes: one for all tables, old and new row as JSONB.

CREATE SCHEMA audit;

CREATE TABLE audit.change (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL,
	transaction_id bigint NOT NULL,
	who text NOT NULL,
	client_address inet,
	table_name text NOT NULL,
	operation text NOT NULL,
	old_row jsonb,
	new_row jsonb
);

CREATE FUNCTION audit.record_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO audit.change (at, transaction_id, who, client_address, table_name, operation, old_row, new_row)
	VALUES (clock_timestamp(), txid_current(), session_user, inet_client_addr(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, TG_OP,
			CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
	RETURN NULL;
END
$$;

DO $$
DECLARE
	target regclass;
BEGIN
	FOREACH target IN ARRAY '{pgbench_accounts,pgbench_branches,pgbench_tellers,pgbench_history,bench.bulk,bench.single}'::regclass[] LOOP
		EXECUTE format('CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION audit.record_change()', target);
	END LOOP;
END
$$;
