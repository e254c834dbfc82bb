# Guards where the library is not preloaded: event triggers refuse what they see, verify names the rest. And what must pass them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $settings = "fsync = off\ngovledger.databases = 'nowhere'\n";

# Every session of the first node loads the library when an event trigger or trigger first calls it, so each command below has one of its own.
my $bare = PostgreSQL::Test::Cluster->new('bare');
$bare->init(allows_streaming => 1);
$bare->append_conf('postgresql.conf', $settings . "shared_preload_libraries = ''\n");
$bare->start;

my $ledger = q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
	CREATE TABLE own (LIKE p INCLUDING ALL);
	CREATE TABLE plain (id int, v text);
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	SELECT govledger.protect(t) FROM unnest('{t,p,own}'::regclass[]) t;
	INSERT INTO t VALUES (1, 'one');
	INSERT INTO p VALUES (1, 'one');};
# installed by a superuser of his own, who owns nothing the server itself needs
$bare->safe_psql('postgres', q{CREATE ROLE dba SUPERUSER LOGIN; CREATE ROLE clerk LOGIN;
	GRANT CREATE ON SCHEMA public TO clerk; SET ROLE dba; CREATE EXTENSION govledger; RESET ROLE;} . $ledger . q{
	ALTER TABLE t OWNER TO clerk});

sub refused
{
	my ($node, $sql, $message, %options) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => $options{params} // []);

	like($err, qr/ERROR:  $message.*^HINT: /ms, "refused: $sql") or diag("status $status: $err");
	return;
}

my @seen_by_event_triggers = (
	['DROP TABLE t', 'cannot drop ledger table "t"'],
	['DROP TABLE plain, p CASCADE', 'cannot drop ledger table "p"'],
	['DROP SCHEMA public CASCADE', 'cannot drop ledger table'],
	['DROP OWNED BY clerk', 'cannot drop ledger table "t"'],
	['DROP OWNED BY dba CASCADE', 'cannot drop extension "govledger" while it protects tables'],
	['DROP EXTENSION govledger CASCADE', 'cannot drop extension "govledger" while it protects tables'],
	['ALTER TABLE t DISABLE TRIGGER "!govledger"', 'trigger "!govledger" of ledger table "t"'],
	['ALTER TABLE t DISABLE TRIGGER ALL', 'trigger "!govledger" of ledger table "t"'],
	['ALTER TABLE t ENABLE REPLICA TRIGGER "!govledger_truncate"', 'trigger "!govledger_truncate" of ledger table "t"'],
	['ALTER TABLE p1 ENABLE TRIGGER USER', 'trigger "!govledger" of ledger table "p1"'],
	['ALTER TRIGGER "!govledger" ON p RENAME TO mine', 'trigger "!govledger" of ledger table "p"'],
	['DROP TRIGGER "!govledger" ON t', 'cannot drop trigger "!govledger" of ledger table "t"'],
	['CREATE TRIGGER "!govledger" AFTER INSERT ON plain EXECUTE FUNCTION nothing()', 'trigger name "!govledger" is reserved'],
	['CREATE TABLE child () INHERITS (t)', 'ledger table "t" cannot have inheritance children'],
	['ALTER TABLE public.p ATTACH PARTITION public.own FOR VALUES FROM (100) TO (200)', '"own" is a ledger table of its own'],
	['ALTER TABLE t SET UNLOGGED', '"t" cannot be a ledger table: it is an unlogged table'],
	['ALTER SCHEMA govledger RENAME TO old', 'cannot alter schema govledger'],
	['ALTER EXTENSION govledger DROP FUNCTION govledger.capture_row()', 'cannot alter contents of extension govledger'],
	['ALTER FUNCTION govledger.capture_row() RENAME TO old', 'cannot alter function govledger.capture_row'],
	['ALTER FUNCTION govledger.on_sql_drop() SECURITY DEFINER', 'cannot alter function govledger.on_sql_drop\(\)'],
	[q{CREATE OR REPLACE FUNCTION govledger.capture_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'},
		'cannot alter function govledger.capture_row\(\)'],
	['DROP INDEX govledger.ledger_relation_relation_idx', 'cannot drop index "govledger.ledger_relation_relation_idx"'],
	['ALTER INDEX govledger.ledger_relation_relation_idx RENAME TO old', 'cannot alter index govledger.ledger_relation_relation_idx'],
	['ALTER TABLE govledger.ledger SET SCHEMA public', 'cannot alter table govledger.ledger'],
	['ALTER TABLE govledger.entry RENAME TO old', 'cannot alter table govledger.entry'],
	['CREATE RULE mine AS ON INSERT TO govledger.entry DO INSTEAD NOTHING', 'cannot alter table govledger.entry']);
refused($bare, @$_) for @seen_by_event_triggers;
refused($bare, 'DROP TABLE t', 'cannot drop ledger table "t"', params => ['-U', 'clerk']);
{
	# set before the library is loaded, the setting is nobody's yet
	refused($bare, 'SET govledger.guards = off; DROP TABLE t', 'cannot drop ledger table "t"', params => ['-U', 'clerk']);
	local $ENV{PGOPTIONS} = '-c govledger.guards=off';
	refused($bare, 'DROP TABLE t', 'cannot drop ledger table "t"', params => ['-U', 'clerk']);
}
$bare->safe_psql('postgres', 'SET govledger.guards = off; BEGIN; DROP TABLE t; ROLLBACK');

# What no event trigger fires for, verify names.
my $finding = sub {
	my ($sql, $expected) = @_;
	return is($bare->safe_psql('postgres', "BEGIN; $sql; SELECT object, detail FROM govledger.verify() WHERE NOT ok AND check_name IN ('function', 'seal', 'unsealed', 'entry', 'stray'); ROLLBACK"),
		$expected, "named: $sql");
};
$finding->('ALTER EVENT TRIGGER govledger_sql_drop DISABLE', 'event trigger govledger_sql_drop|it is not enabled ALWAYS');
$finding->('ALTER EVENT TRIGGER govledger_sql_drop RENAME TO mine', 'event trigger govledger_sql_drop|it was dropped');
is($bare->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'nothing of all this happened');

# A session that loads the library by itself has the hooks too.
refused($bare, "LOAD 'govledger'; $_->[0]", $_->[1])
  for ['ALTER EVENT TRIGGER govledger_sql_drop DISABLE', 'cannot alter event trigger "govledger_sql_drop"'],
  ['TRUNCATE govledger.record_chunk', 'cannot truncate "govledger.record_chunk"'];

# The library preloaded, event triggers silent: single-user mode, and a database that somebody tampered with.
$bare->append_conf('postgresql.conf', "shared_preload_libraries = 'govledger'\n");
$bare->restart;
refused($bare, @$_) for @seen_by_event_triggers, ['ALTER EVENT TRIGGER govledger_sql_drop ENABLE', 'cannot alter event trigger'],
  ['TRUNCATE govledger.record_chunk', 'cannot truncate "govledger.record_chunk"'];
refused($bare, "SET govledger.guards = off; ALTER EVENT TRIGGER govledger_sql_drop DISABLE; ALTER EVENT TRIGGER govledger_ddl_command_start DISABLE;"
	  . " SET govledger.guards = on; $_->[0]", $_->[1])
  for ['DROP TABLE t', 'cannot drop ledger table "t"'], ['DROP EXTENSION govledger CASCADE', 'cannot drop extension "govledger"'];
$bare->safe_psql('postgres', 'ALTER EVENT TRIGGER govledger_sql_drop ENABLE ALWAYS');
$bare->safe_psql('postgres', 'ALTER EVENT TRIGGER govledger_ddl_command_start ENABLE ALWAYS');
is($bare->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'ENABLE ALWAYS mends');

# A standby refuses as PostgreSQL does; a template and a database without the extension know no guards.
$bare->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($bare, 'backup', has_streaming => 1);
$standby->start;
$bare->wait_for_catchup($standby);
for my $sql ('DROP TABLE t', 'TRUNCATE govledger.entry', 'DROP OWNED BY clerk')
{
	my ($status, $out, $err) = $standby->psql('postgres', $sql);
	like($err, qr/cannot execute .* in a read-only transaction/, "on a standby: $sql");
}
is($standby->safe_psql('postgres', 'SELECT count(*) FROM t'), '1', 'the standby reads');
$standby->stop;
$bare->safe_psql('postgres', 'CREATE DATABASE other');
$bare->safe_psql('other', q{CREATE SCHEMA govledger; CREATE TABLE govledger.ledger (a int); CREATE TABLE govledger.ledger_relation (a int);
	CREATE INDEX ledger_relation_relation_idx ON govledger.ledger_relation (a); TRUNCATE govledger.ledger; DROP TABLE govledger.ledger;
	ALTER SCHEMA govledger RENAME TO planted; DROP SCHEMA planted CASCADE});
pass('a schema of somebody else with our name is his');
# in one session: installed, protected, gone, installed again; rolled back, and for good
$bare->safe_psql('other', q{
	BEGIN; CREATE EXTENSION govledger; CREATE TABLE a (id int PRIMARY KEY); SELECT govledger.protect('a'); ROLLBACK;
	CREATE TABLE a (id int PRIMARY KEY); DROP TABLE a;
	CREATE EXTENSION govledger; CREATE TABLE a (id int PRIMARY KEY); SELECT govledger.protect('a');
	SET govledger.guards = off; DROP EXTENSION govledger CASCADE; RESET govledger.guards; DROP TABLE a, a_history;
	CREATE EXTENSION govledger; DROP EXTENSION govledger;
	CREATE EXTENSION govledger; CREATE TABLE a (id int PRIMARY KEY); SELECT govledger.protect('a')});
my ($status, $out, $err) = $bare->psql('other', 'DROP TABLE a');
like($err, qr/cannot drop ledger table "a"/, 'the guards are back with the extension');
# a log that protects nothing any more is still a log
($status, $out, $err) = $bare->psql('other', q{SELECT govledger.unprotect('a', 'end'); DROP TABLE a; DROP EXTENSION govledger});
like($err, qr/cannot drop extension "govledger": its log would go with it/, 'nor does the log go unasked');
# scripts of the extension may do what nobody else may
my ($sharedir) = run_command([ $ENV{PG_CONFIG}, '--sharedir' ]);
my $version = $bare->safe_psql('other', q{SELECT extversion FROM pg_extension WHERE extname = 'govledger'});
my $script = "$ENV{GOVLEDGER_STAGE}$sharedir/extension/govledger--$version--guarded.sql";
append_to_file($script, q{CREATE OR REPLACE FUNCTION govledger.on_table_rewrite() RETURNS event_trigger
	LANGUAGE C SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'gl_on_table_rewrite';
	ALTER FUNCTION govledger.note(text) RENAME TO remark; DROP FUNCTION govledger.remark(text);
	ALTER TABLE govledger.sealer_state ADD COLUMN more int;
	ALTER EVENT TRIGGER govledger_table_rewrite DISABLE; ALTER EVENT TRIGGER govledger_table_rewrite ENABLE ALWAYS;});
$bare->safe_psql('other', q{ALTER EXTENSION govledger UPDATE TO 'guarded'});
unlink $script;
is($bare->safe_psql('other', q{SELECT count(*) FROM pg_proc WHERE proname = 'note'; SELECT more FROM govledger.sealer_state;
	SELECT evtenabled FROM pg_event_trigger WHERE evtname = 'govledger_table_rewrite'}), "0\n\nA", 'an update script passes');

# A dump goes in everywhere, and a copy is free until it is adopted.
my $directory = PostgreSQL::Test::Utils::tempdir();
my @where = ('-h', $bare->host, '-p', $bare->port);
command_ok([ 'pg_dump', @where, '-Fc', '-f', "$directory/dump", 'postgres' ], 'dump');
$bare->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_restore', @where, '-e', '-d', 'restored', "$directory/dump" ], 'restore');
is($bare->safe_psql('restored', q{ALTER TABLE t DISABLE TRIGGER "!govledger"; ALTER TABLE t ENABLE ALWAYS TRIGGER "!govledger";
	SELECT govledger.adopt('after the fire')}), '2', 'a copy is free');
($status, $out, $err) = $bare->psql('restored', 'ALTER TABLE t DISABLE TRIGGER "!govledger"');
like($err, qr/must stay as it is/, 'until it is adopted');
command_fails_like([ 'pg_restore', @where, '--clean', '-e', '-d', 'postgres', "$directory/dump" ],
	qr/cannot drop (ledger table|trigger|extension)/, 'a restore over a living ledger is refused');
is($bare->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'which is as it was');
$bare->stop;

# Single-user mode: no event trigger fires there. A binary upgrade does what it must.
sub single_user
{
	my ($sql, @options) = @_;

	IPC::Run::run([ 'postgres', '--single', '-j', @options, '-D', $bare->data_dir, 'postgres' ], '<', \$sql, '>', \$out, '2>', \$err);
	return $err;
}
like(single_user("DROP TABLE t;\n\nTRUNCATE govledger.entry;\n\nDROP EXTENSION govledger CASCADE;\n\n"),
	qr/cannot drop ledger table "t".*cannot truncate "govledger.entry".*cannot drop extension "govledger"/s, 'guards in single-user mode');
unlike(single_user("DROP TABLE t;\n\nALTER EVENT TRIGGER govledger_sql_drop DISABLE;\n\nALTER SCHEMA govledger RENAME TO old;\n\n", '-b'),
	qr/ERROR/, 'none in a binary upgrade');
done_testing();
