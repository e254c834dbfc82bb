/* Capture: triggers, protect, and the event triggers that follow DDL. */

CREATE FUNCTION govledger.capture_row() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_capture_row';
COMMENT ON FUNCTION govledger.capture_row() IS 'trigger: adds one row change to the entry of the transaction';

CREATE FUNCTION govledger.capture_truncate() RETURNS trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_capture_truncate';
COMMENT ON FUNCTION govledger.capture_truncate() IS 'trigger: adds a truncate to the entry of the transaction';

CREATE FUNCTION govledger.protect(
	target regclass,
	append_only boolean DEFAULT false,
	visibility text DEFAULT 'private',
	personal name[] DEFAULT '{}',
	key name[] DEFAULT NULL,
	history boolean DEFAULT true,
	history_name name DEFAULT NULL
) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_protect';
COMMENT ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name) IS
	'makes a table a ledger table: its rows become the genesis entry, every later change is recorded';

CREATE FUNCTION govledger.unprotect(target regclass, reason text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_unprotect';
COMMENT ON FUNCTION govledger.unprotect(regclass, text) IS
	'makes a ledger table an ordinary one again; the log keeps what was recorded, and the reason';

CREATE FUNCTION govledger.set_visibility(target regclass, visibility text, reason text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_set_visibility';
COMMENT ON FUNCTION govledger.set_visibility(regclass, text, text) IS
	'changes who may read a ledger table (private, peers, public), with a record of it; public grants its columns, except personal ones, to govledger_public';

CREATE FUNCTION govledger.record_schema(target regclass) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_record_schema';
COMMENT ON FUNCTION govledger.record_schema(regclass) IS
	'records what DDL changed on a ledger table while the event triggers of govledger were not active';

CREATE FUNCTION govledger.note(note text) RETURNS void
	LANGUAGE C VOLATILE PARALLEL UNSAFE STRICT SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'gl_note';
COMMENT ON FUNCTION govledger.note(text) IS 'adds a note to the log, in the entry of the current transaction';

-- no search_path: it finds the objects of a command by name, as the command will
CREATE FUNCTION govledger.on_ddl_command_start() RETURNS event_trigger
	LANGUAGE C AS 'MODULE_PATHNAME', 'gl_on_ddl_command_start';
COMMENT ON FUNCTION govledger.on_ddl_command_start() IS
	'event trigger: keeps the rows of ledger tables whose values a command may change, refuses to drop the extension with its log';

CREATE FUNCTION govledger.on_ddl_command_end() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_ddl_command_end';
COMMENT ON FUNCTION govledger.on_ddl_command_end() IS
	'event trigger: records schema changes of ledger tables and the values they changed, refuses what would blind them';

CREATE FUNCTION govledger.on_sql_drop() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_sql_drop';
COMMENT ON FUNCTION govledger.on_sql_drop() IS 'event trigger: records dropped partitions, refuses to drop ledger tables and their triggers';

CREATE FUNCTION govledger.on_table_rewrite() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_table_rewrite';
COMMENT ON FUNCTION govledger.on_table_rewrite() IS 'event trigger: refuses to rewrite ledger tables unseen';

REVOKE ALL ON FUNCTION govledger.capture_row(), govledger.capture_truncate(),
	govledger.protect(regclass, boolean, text, name[], name[], boolean, name), govledger.unprotect(regclass, text),
	govledger.set_visibility(regclass, text, text), govledger.record_schema(regclass), govledger.note(text),
	govledger.on_ddl_command_start(), govledger.on_ddl_command_end(), govledger.on_sql_drop(), govledger.on_table_rewrite()
	FROM PUBLIC;
GRANT EXECUTE ON FUNCTION govledger.protect(regclass, boolean, text, name[], name[], boolean, name),
	govledger.unprotect(regclass, text), govledger.set_visibility(regclass, text, text),
	govledger.record_schema(regclass), govledger.note(text)
	TO govledger_admin;
-- PostgreSQL asks whoever adds a partition for the right to execute the row triggers that the partition inherits.
GRANT EXECUTE ON FUNCTION govledger.capture_row() TO PUBLIC;

-- ALWAYS: a session in replica role changes tables too
CREATE EVENT TRIGGER govledger_ddl_command_start ON ddl_command_start EXECUTE FUNCTION govledger.on_ddl_command_start();
ALTER EVENT TRIGGER govledger_ddl_command_start ENABLE ALWAYS;
CREATE EVENT TRIGGER govledger_ddl_command_end ON ddl_command_end EXECUTE FUNCTION govledger.on_ddl_command_end();
ALTER EVENT TRIGGER govledger_ddl_command_end ENABLE ALWAYS;
CREATE EVENT TRIGGER govledger_sql_drop ON sql_drop EXECUTE FUNCTION govledger.on_sql_drop();
ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS;
CREATE EVENT TRIGGER govledger_table_rewrite ON table_rewrite EXECUTE FUNCTION govledger.on_table_rewrite();
ALTER EVENT TRIGGER govledger_table_rewrite ENABLE ALWAYS;
