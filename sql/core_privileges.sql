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
-- by role
SELECT oid::regprocedure AS function, has_function_privilege('govledger_admin', oid, 'execute') AS admin,
	has_function_privilege('govledger_auditor', oid, 'execute') AS auditor, has_function_privilege('govledger_peer', oid, 'execute') AS peer,
	has_function_privilege('govledger_public', oid, 'execute') AS public, has_function_privilege('pg_monitor', oid, 'execute') AS monitor
  FROM ours ORDER BY oid::regprocedure::text COLLATE "C";
SELECT c.oid::regclass AS relation, r.rolname, string_agg(p, ',' ORDER BY p) AS privileges
  FROM pg_class c, (SELECT rolname FROM pg_roles WHERE rolname LIKE 'govledger\_%' OR rolname = 'pg_monitor' UNION SELECT 'public') r,
	unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
 WHERE relnamespace = 'govledger'::regnamespace AND relkind IN ('r', 'v') AND has_table_privilege(r.rolname, c.oid, p)
 GROUP BY c.oid, 2 ORDER BY c.oid::regclass::text COLLATE "C", 2;
-- schema: no right to create for anybody but the owner
SELECT rolname, has_schema_privilege(rolname, 'govledger', 'usage') AS usage, has_schema_privilege(rolname, 'govledger', 'create') AS "create"
  FROM (SELECT rolname FROM pg_roles WHERE rolname LIKE 'govledger\_%' OR rolname = 'pg_monitor' UNION SELECT 'public') r ORDER BY 1;
SELECT evtname, evtevent, evtenabled FROM pg_event_trigger WHERE evtname LIKE 'govledger%' ORDER BY 1;
