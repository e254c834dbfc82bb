# pg_dump and pg_restore in every way: the copy refuses to be written to until it is adopted, and then the log goes on.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;
use sealtest;

my $keys = key_directory();
my $dumps = PostgreSQL::Test::Utils::tempdir('dumps');
my $source = PostgreSQL::Test::Cluster->new('source');
my $settings = "fsync = off\nmax_prepared_transactions = 5\ngovledger.databases = 'nowhere'\n";

$source->init;
$source->append_conf('postgresql.conf', $settings);
$source->start;
$source->safe_psql('postgres', "CREATE ROLE clerk; CREATE DATABASE land;
	ALTER DATABASE land SET govledger.origin = 'land.example.org/log'; ALTER DATABASE land SET govledger.signing_key = '$keys/key'");

sub sql
{
	my ($node, $database, $statement) = @_;
	return $node->safe_psql($database, $statement);
}

sql($source, 'land', q{
	CREATE EXTENSION govledger;
	CREATE SCHEMA "the Land";
	CREATE TYPE use AS ENUM ('field', 'house');
	CREATE TABLE "the Land".parcel (id int PRIMARY KEY, gone int, "Owner" text, area numeric(10,2), kind use, doc bytea,
		doubled numeric GENERATED ALWAYS AS (area * 2) STORED);
	ALTER TABLE "the Land".parcel DROP COLUMN gone;
	CREATE TABLE deed (id int, at timestamptz, parcel int REFERENCES "the Land".parcel, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE deed_2025 PARTITION OF deed FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
	CREATE TABLE deed_old PARTITION OF deed DEFAULT;
	CREATE TABLE fee (n int, amount money, at date DEFAULT '2026-01-01');
	CREATE TABLE former (id int PRIMARY KEY);
	GRANT SELECT, INSERT, UPDATE, DELETE ON "the Land".parcel, deed, fee TO clerk;
	GRANT USAGE ON SCHEMA "the Land" TO clerk; });
sql($source, 'land', "SELECT govledger.generate_key('$keys/key')");
sql($source, 'land', q{
	INSERT INTO "the Land".parcel SELECT i, 'owner ' || i, i * 1.5, 'field', sha256(i::text::bytea) FROM generate_series(1, 300) i;
	SELECT govledger.protect('"the Land".parcel', personal => '{"Owner"}');
	SELECT govledger.protect('deed');
	SELECT govledger.protect('fee', append_only => true);
	SELECT govledger.protect('former');
	INSERT INTO former VALUES (1)});
sql($source, 'land', q{SELECT govledger.unprotect('former', 'over')});
sql($source, 'land', q{INSERT INTO deed SELECT i, '2025-02-03', i FROM generate_series(1, 50) i; INSERT INTO deed VALUES (99, '1999-01-01', 1)});
sql($source, 'land', q{UPDATE "the Land".parcel SET "Owner" = NULL WHERE id = 3; INSERT INTO fee VALUES (1, '12.50')});
my @notes = (sql($source, 'land', 'SELECT govledger.seal()'));
sql($source, 'land', q{
	CREATE TABLE deed_2026 PARTITION OF deed FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
	ALTER TABLE deed DETACH PARTITION deed_old;
	ALTER TABLE "the Land".parcel RENAME COLUMN area TO size;
	DELETE FROM "the Land".parcel WHERE id = 300});
sql($source, 'land', q{SET ROLE clerk; INSERT INTO deed VALUES (1000 + } . $_ . q{, '2026-05-05', 5)}) for 1 .. 3;
push @notes, sql($source, 'land', 'SELECT govledger.seal()');
# not sealed when the dump comes; and one that is prepared, and so not in the dump at all
sql($source, 'land', q{INSERT INTO deed VALUES (2000, '2026-06-06', 6)});
sql($source, 'land', q{UPDATE "the Land".parcel SET "Owner" = 'unsealed' WHERE id = 4});
sql($source, 'land', q{BEGIN; INSERT INTO deed VALUES (3000, '2026-06-06', 6); PREPARE TRANSACTION 'waiting'});
is(sql($source, 'land', 'SELECT unsealed_entries FROM govledger.status'), '2', 'entries that wait for a seal');

sub dump_with
{
	my ($name, @options) = @_;
	$source->command_ok([ 'pg_dump', @options, '-f', "$dumps/$name", '-d', $source->connstr('land') ], "pg_dump @options");
	return "$dumps/$name";
}
my $plain = dump_with('plain.sql');
my $inserts = dump_with('inserts.sql', '--column-inserts', '-O', '-x');
my $custom = dump_with('custom', '-Fc');
my $directory = dump_with('directory', '-Fd', '-j2');
my $schema_only = dump_with('schema.sql', '-s');
my $data_only = dump_with('data', '-Fc', '-a');
my $single = dump_with('single', '-Fc', '-t', '"the Land".parcel');
my $globals = "$dumps/globals.sql";
$source->command_ok([ 'pg_dumpall', '-f', $globals, '-d', $source->connstr('postgres') ], 'pg_dumpall');
system_or_bail('cp', "$keys/key.state", "$keys/state.then");
sql($source, 'land', q{COMMIT PREPARED 'waiting'});

my $target = PostgreSQL::Test::Cluster->new('target');
$target->init;
$target->append_conf('postgresql.conf', $settings);
$target->start;
sql($target, 'postgres', 'CREATE ROLE clerk');

my $not_ours = qr/this database is not the one that holds the ledger\nDETAIL.*\nHINT:.*adopt/;

# The copy is refused until adopted; then its generation is the next, and everything agrees, old checkpoints too.
sub adopt_and_go_on
{
	my ($node, $database, $test, %options) = @_;
	my $generation = $options{generation} // 2;

	fails_like($node, q{INSERT INTO deed VALUES (1, '2026-07-07', 7)}, $not_ours, "$test: a write", database => $database);
	if ($options{thorough})
	{
		fails_like($node, $_, $not_ours, "$test: $_", database => $database)
		  for q{DELETE FROM "the Land".parcel WHERE id = 200}, 'TRUNCATE deed', q{SELECT govledger.protect('former')},
		  q{SELECT govledger.note('x')}, 'SELECT govledger.seal()';
		fails_like($node, "SELECT govledger.adopt(' ')", qr/a reason for the adoption must be given/, "$test: no reason", database => $database);
	}
	is(sql($node, $database, 'SELECT * FROM govledger.verify() WHERE NOT ok') =~ s/^trigger.*\n?//mgr, '', "$test: verify before");
	is(sql($node, $database, "SELECT govledger.adopt('$test')"), $generation, "$test: adopt()");
	sql($node, $database, q{INSERT INTO deed VALUES (4000, '2026-07-07', 7); UPDATE "the Land".parcel SET "Owner" = 'new', size = 1 WHERE id = 7;
		INSERT INTO fee VALUES (2, '1'); CREATE TABLE deed_2027 PARTITION OF deed FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
		INSERT INTO deed VALUES (1, '2027-01-01', 1)});
	sql($node, $database, 'SELECT govledger.seal()');
	is(sql($node, $database, "SELECT string_agg(DISTINCT ok::text, ',') FROM govledger.verify(against => ARRAY[" .
			join(', ', map { "\$note\$$_\$note\$" } @notes) . '])'), 'true', "$test: it agrees with the checkpoints from before");
	is_clean($node, $test, database => $database);
	log_is_sound($node, $test, $database) if $options{reader};
	return;
}

# Another cluster, plain SQL; all else in databases beside it.
sub new_database
{
	my ($node, $name) = @_;
	sql($node, 'postgres', "CREATE DATABASE $name");
	return $name;
}
new_database($target, 'plain');
$target->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $plain, $target->connstr('plain') ], 'restore of plain SQL');
adopt_and_go_on($target, 'plain', 'plain', reader => 1, thorough => 1);
fails_like($target, q{SELECT govledger.adopt('again')}, qr/belongs to this/, 'adopted once', database => 'plain');
fails_like($target, 'DELETE FROM fee', qr/append-only/, 'append-only after the restore', database => 'plain');
new_database($target, 'inserts');
$target->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-1', '-f', $inserts, $target->connstr('inserts') ],
	'restore of INSERTs without owners and privileges, in one transaction');
adopt_and_go_on($target, 'inserts', 'inserts');
new_database($target, 'parallel');
$target->command_ok([ 'pg_restore', '-e', '-j2', '-d', $target->connstr('parallel'), $directory ], 'parallel restore of a directory');
adopt_and_go_on($target, 'parallel', 'parallel');

# Section by section; before the last one there are no triggers.
new_database($target, 'sections');
for my $section (qw(pre-data data post-data))
{
	$target->command_ok([ 'pg_restore', '-e', "--section=$section", '-d', $target->connstr('sections'), $custom ], "section $section");
	is(sql($target, 'sections', q{SELECT string_agg(DISTINCT check_name, ',') FROM govledger.verify() WHERE NOT ok}), 'trigger',
		'without post-data verify misses the triggers') if $section eq 'data';
}
adopt_and_go_on($target, 'sections', 'sections');

# Without post-data, or data alone into a schema that was there: adoption puts the triggers right.
new_database($target, 'no_post');
$target->command_ok([ 'pg_restore', '-e', "--section=$_", '-d', $target->connstr('no_post'), $custom ], "only $_") for qw(pre-data data);
sql($target, 'no_post', 'ALTER TABLE "the Land".parcel ADD PRIMARY KEY (id); ALTER TABLE deed ADD PRIMARY KEY (id, at)');
is(sql($target, 'no_post', q{INSERT INTO fee VALUES (7, '1'); SELECT govledger.adopt('no triggers')}), '2', 'without triggers: adopt()');
is(sql($target, 'no_post', q{SELECT check_name, object FROM govledger.verify() WHERE NOT ok}), 'rows|public.fee',
	'triggers are there again, and what was written without them is found');
fails_like($target, 'DELETE FROM fee', qr/append-only/, 'they fire', database => 'no_post');
new_database($target, 'data');
$target->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $schema_only, $target->connstr('data') ], 'restore of the schema alone');
fails_like($target, q{INSERT INTO deed VALUES (1, '2026-07-07', 7)},
	qr/has a trigger of govledger but is not a ledger table\nDETAIL.*\nHINT:.*govledger\.protect/, 'the schema alone is no ledger', database => 'data');
$target->command_ok([ 'pg_restore', '-e', '--disable-triggers', '-d', $target->connstr('data'), $data_only ], 'data into a schema that is there');
adopt_and_go_on($target, 'data', 'data alone');

# The schema alone can become a ledger of its own.
new_database($target, 'empty');
$target->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $schema_only, $target->connstr('empty') ], 'the schema alone');
is(sql($target, 'empty', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'nothing to verify');
sql($target, 'empty', q{DROP TABLE deed_history, "the Land".parcel_history CASCADE; SELECT govledger.protect('deed'), govledger.protect('"the Land".parcel'); INSERT INTO "the Land".parcel VALUES (1, 'x', 1, 'house');
	INSERT INTO deed VALUES (1, '2026-07-07', 1); SELECT govledger.seal()});
is_clean($target, 'a ledger of its own', database => 'empty');

# A single table comes without its log: with the extension there, protect() makes it a ledger table of this database.
new_database($target, 'single');
my $surroundings = q{CREATE SCHEMA "the Land"; CREATE TYPE use AS ENUM ('field', 'house');};
sql($target, 'single', "$surroundings CREATE EXTENSION govledger");
$target->command_ok([ 'pg_restore', '-e', '-d', $target->connstr('single'), $single ], 'restore of a single table');
fails_like($target, q{DELETE FROM "the Land".parcel WHERE id = 1}, qr/is not a ledger table/, 'a single table', database => 'single');
sql($target, 'single', q{SELECT govledger.protect('"the Land".parcel'); DELETE FROM "the Land".parcel WHERE id = 1; SELECT govledger.seal()});
is_clean($target, 'single table', database => 'single');
new_database($target, 'alone');
sql($target, 'alone', $surroundings);
my ($ok, $output) = command_output('pg_restore', '-d', $target->connstr('alone'), $single);
ok(!$ok, 'a single table without the extension: its triggers cannot be made');
like($output, qr/function govledger\.capture_row\(\) does not exist|schema "govledger" does not exist/, 'and that is said');
sql($target, 'alone', q{DELETE FROM "the Land".parcel WHERE id = 1});

# In the same cluster: a second database may not continue the log either, whatever its name; the first goes on.
new_database($source, 'copy');
$source->command_ok([ 'pg_restore', '-e', '-d', $source->connstr('copy'), $custom ], 'into another database of the same cluster');
adopt_and_go_on($source, 'copy', 'same cluster');
sql($source, 'land', q{INSERT INTO deed VALUES (5000, '2026-07-07', 7)});
my $later = sql($source, 'land', 'SELECT govledger.seal()');
is_clean($source, 'the original', database => 'land');
fails_like($source, q{ALTER DATABASE copy SET govledger.signing_key = '} . "$keys/key'; \\c copy\nSELECT govledger.seal()",
	qr/refusing to sign/, 'the copy cannot sign what the original signed otherwise');

# All of a cluster, with its roles.
my $whole = PostgreSQL::Test::Cluster->new('whole');
$whole->init;
$whole->append_conf('postgresql.conf', $settings);
$whole->start;
$whole->command_ok([ 'psql', '-X', '-q', '-f', $globals, $whole->connstr('postgres') ], 'restore of pg_dumpall');
is($whole->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolname LIKE 'govledger%'}), '4', 'roles');
# as if the original had signed nothing since, for its key comes along with the settings
sql($whole, 'land', "ALTER DATABASE land SET govledger.signer_state_file = '$keys/state.then'");
adopt_and_go_on($whole, 'land', 'pg_dumpall', reader => 1);
is($whole->safe_psql('land', 'SELECT origin || generation FROM govledger.status'), 'land.example.org/log2', 'its settings came along');

# A dump of the adopted one, adopted again: generation after generation.
$whole->command_ok([ 'pg_dump', '-Fc', '-f', "$dumps/second", '-d', $whole->connstr('land') ], 'dump of the adopted one');
new_database($target, 'second');
$target->command_ok([ 'pg_restore', '-e', '-d', $target->connstr('second'), "$dumps/second" ], 'and restore');
is(sql($target, 'second', q{SELECT govledger.adopt('again')}), '3', 'the third generation');
sql($target, 'second', q{INSERT INTO deed VALUES (6000, '2026-07-07', 7); SELECT govledger.seal()});
is_clean($target, 'third generation', database => 'second');
done_testing();
