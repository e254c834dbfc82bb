/*
 * Schema and roles.
 *
 * Roles belong to the whole cluster and outlive the extension, so an existing one is kept. They own nothing and
 * cannot log in; a DBA grants them.
 */

-- CREATE SCHEMA fails if somebody planted the schema before us: nothing of a stranger's is adopted.
CREATE SCHEMA govledger;

DO $$
DECLARE
	role_name text;
BEGIN
	FOREACH role_name IN ARRAY ARRAY['govledger_admin', 'govledger_auditor', 'govledger_peer', 'govledger_public'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
		ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name
					  AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN
			RAISE WARNING 'role "%" was here before govledger and has rights that govledger would not give it', role_name
				USING HINT = format('Unless you know why: ALTER ROLE %I NOLOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS.', role_name);
		END IF;
	END LOOP;
END
$$;

-- Every right is on the objects; the application must at least reach wait_sealed().
GRANT USAGE ON SCHEMA govledger TO PUBLIC;
