-- Who may do what, pinned: a change here is a decision, not an accident.
CREATE TEMP VIEW ours AS SELECT * FROM pg_proc WHERE pronamespace = 'govledger'::regnamespace;
-- executable by everybody
SELECT oid::regprocedure FROM ours WHERE has_function_privilege('public', oid, 'execute') ORDER BY oid::regprocedure::text;
-- with the rights of their owner, and why: see the README of the feature
SELECT oid::regprocedure FROM ours WHERE prosecdef ORDER BY oid::regprocedure::text;
-- no pinned search_path: only what resolves no name (C) or resolved them when it was created (BEGIN ATOMIC)
SELECT oid::regprocedure FROM ours
 WHERE NOT COALESCE('search_path=pg_catalog, pg_temp' = ANY(proconfig), false)
   AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') AND prosqlbody IS NULL ORDER BY oid::regprocedure::text;
-- no comment
SELECT oid::regprocedure FROM ours WHERE obj_description(oid, 'pg_proc') IS NULL ORDER BY oid::regprocedure::text;
-- by role, as a member of it; monitor is pg_monitor, nobody has no role
CREATE ROLE privileges_admin IN ROLE govledger_admin; CREATE ROLE privileges_auditor IN ROLE govledger_auditor;
CREATE ROLE privileges_peer IN ROLE govledger_peer; CREATE ROLE privileges_public IN ROLE govledger_public;
CREATE ROLE privileges_monitor IN ROLE pg_monitor; CREATE ROLE privileges_nobody;
CREATE TEMP VIEW members AS SELECT rolname, substr(rolname, 12) AS member FROM pg_roles WHERE rolname LIKE 'privileges\_%';
SELECT o.oid::regprocedure AS function, string_agg(member, ',' ORDER BY member) FILTER (WHERE has_function_privilege(rolname, o.oid, 'execute')) AS may_execute
  FROM ours o, members GROUP BY o.oid ORDER BY o.oid::regprocedure::text COLLATE "C";
-- every right on every relation; sequences too
CREATE TEMP VIEW relations AS SELECT * FROM pg_class WHERE relnamespace = 'govledger'::regnamespace AND relkind NOT IN ('i', 'I', 't', 'c');
SELECT c.oid::regclass AS relation, p AS privilege, string_agg(member, ',' ORDER BY member) AS members
  FROM relations c, members, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
 WHERE relkind <> 'S' AND has_table_privilege(rolname, c.oid, p) GROUP BY c.oid, 2 ORDER BY c.oid::regclass::text COLLATE "C", 2;
SELECT c.oid::regclass AS relation, p AS privilege, member FROM relations c, members, unnest('{USAGE,SELECT,UPDATE}'::text[]) p
 WHERE CASE relkind WHEN 'S' THEN has_sequence_privilege(rolname, c.oid, p) END ORDER BY 1, 2, 3;
-- where only some columns are granted: those that are not
SELECT c.oid::regclass AS relation, member, string_agg(attname, ',' ORDER BY attnum) FILTER (WHERE NOT has_column_privilege(rolname, c.oid, attnum, 'SELECT')) AS not_readable
  FROM relations c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0, members
 WHERE relkind <> 'S' AND has_any_column_privilege(rolname, c.oid, 'SELECT') AND NOT has_table_privilege(rolname, c.oid, 'SELECT')
 GROUP BY c.oid, 2 ORDER BY c.oid::regclass::text COLLATE "C", 2;
SELECT c.oid::regclass AS relation, member FROM relations c, members
 WHERE relkind <> 'S' AND has_any_column_privilege(rolname, c.oid, 'INSERT,UPDATE,REFERENCES');
-- what they find when they look, and when they try all of it
SET ROLE privileges_public;
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'govledger' ORDER BY 1;
DO $$
DECLARE
	relation regclass;
	readable text := '';
BEGIN
	FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'govledger'::regnamespace AND relkind NOT IN ('i', 'I', 't', 'c') ORDER BY relname LOOP
		BEGIN
			EXECUTE format('SELECT * FROM %s LIMIT 1', relation);
			readable := readable || ' ' || relation;
		EXCEPTION WHEN insufficient_privilege THEN
		END;
	END LOOP;
	RAISE NOTICE 'readable:%', readable;
END $$;
RESET ROLE;
-- schema: no right to create for anybody but the owner
SELECT member, has_schema_privilege(rolname, 'govledger', 'usage') AS usage, has_schema_privilege(rolname, 'govledger', 'create') AS "create"
  FROM members ORDER BY 1;
-- the roles themselves: no attribute, no membership, own nothing
SELECT rolname, rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS attributes,
	(SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS member_of, (SELECT count(*) FROM pg_shdepend WHERE refobjid = r.oid AND deptype = 'o') AS owns
  FROM pg_roles r WHERE rolname LIKE 'govledger\_%' ORDER BY 1;
DROP ROLE privileges_admin, privileges_auditor, privileges_peer, privileges_public, privileges_monitor, privileges_nobody;
SELECT evtname, evtevent, evtenabled FROM pg_event_trigger WHERE evtname LIKE 'govledger%' ORDER BY 1;
