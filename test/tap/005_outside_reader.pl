# The log dumped with COPY satisfies a reader that shares no code with the extension; a dump damaged in any of its parts
# does not; and neither does the log or a table that a superuser changed behind the extension's back.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;

my $node = ledger_node('reader', key => 1);
my $keys = $node->{ledger_keys};
$node->safe_psql('postgres', q{
	CREATE TABLE t (id integer PRIMARY KEY, v text);
	CREATE TABLE person (id integer PRIMARY KEY, name text, tax bytea);
	CREATE TABLE part (id integer, region text, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
	CREATE TABLE part_n PARTITION OF part FOR VALUES IN ('n');
	CREATE TABLE part_s PARTITION OF part FOR VALUES IN ('s');
	INSERT INTO t SELECT g, 'genesis' FROM generate_series(1, 50) g;
	SELECT govledger.protect('t'), govledger.protect('person', personal => '{name,tax}'), govledger.protect('part', visibility => 'public');});
my $key = 'key';
for my $round (1 .. 4)
{
	$node->safe_psql('postgres', qq{
		SET govledger.actor = 'clerk $round'; SET govledger.reason = 'ünïcode';
		INSERT INTO t SELECT $round * 10000 + g, repeat('chunk', 50) FROM generate_series(1, 3000) g;
		UPDATE t SET v = NULL WHERE id = $round;
		INSERT INTO person VALUES ($round, 'name $round', '\\x0$round'), (-$round, NULL, NULL);
		UPDATE person SET name = name || '!', tax = NULL WHERE id > 0;
		INSERT INTO part SELECT $round * 100 + g, CASE g % 2 WHEN 0 THEN 'n' ELSE 's' END, 'v' FROM generate_series(1, 20) g;
		UPDATE part SET region = 's' WHERE id % 7 = 0;
		DELETE FROM person WHERE id = -$round;
		BEGIN; INSERT INTO t VALUES (-$round, 'prepared'); PREPARE TRANSACTION 'p';
		COMMIT PREPARED 'p';
		ALTER TABLE t ADD COLUMN extra_$round integer;
		ALTER TABLE person ADD COLUMN extra_$round integer DEFAULT $round, ALTER COLUMN name TYPE text USING upper(name);
		SELECT govledger.seal();});
	# enough leaves for a full tile
	$node->safe_psql('postgres', join ';', map { "INSERT INTO t VALUES (1000000 + $round * 1000 + $_)" } 1 .. 80);
	next if $round == 4;
	my $lost = $round == 3 ? ', lost => true' : '';
	$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key$round')");
	$node->safe_psql('postgres', "SELECT govledger.rotate_key('$keys/key$round', 'rotation $round'$lost)");
	$node->safe_psql('postgres', "ALTER SYSTEM SET govledger.signing_key = '$keys/key$round'");
	$node->reload;
}
$node->safe_psql('postgres', q{TRUNCATE part_n; ALTER TABLE part DETACH PARTITION part_s; SELECT govledger.unprotect('t', 'done'); SELECT govledger.seal(); INSERT INTO person VALUES (99, 'not sealed')});
is_clean($node, 'mixed work');

my @tables = qw(ledger ledger_table ledger_relation ledger_column context entry record_chunk personal leaf seal tile checkpoint signing_key);
sub dump_log
{
	my $directory = PostgreSQL::Test::Utils::tempdir();
	$node->safe_psql('postgres', join ';', map { "COPY govledger.$_ TO '$directory/$_.csv' CSV HEADER" } @tables);
	return $directory;
}

sub reader
{
	my ($directory) = @_;
	return command_output('python3', 'test/interop/govledger.py', 'check-log', $directory);
}

my $dump = dump_log();
my ($ok, $output) = reader($dump);
ok($ok, 'the independent reader agrees') or diag($output);
like($output, qr/^\d+ entries, \d+ records, [5-9] seals|^\d+ entries, \d+ records, \d\d+ seals/, 'it read everything');
for my $table (grep { !/^ledger/ } @tables)
{
	cmp_ok(scalar(split /\n/, slurp_file("$dump/$table.csv")), '>', 1, "$table is not empty");
}

# Damage by SQL on a copy of the log, so each kind is said in one line. Undone by ROLLBACK.
my %damage = (
	'a record in an entry' => 'UPDATE govledger.entry SET content = set_byte(content, length(content) - 1, get_byte(content, length(content) - 1) # 1) WHERE transaction_id = (SELECT min(transaction_id) FROM govledger.entry WHERE length(content) > 10)',
	'a record in a chunk' => 'UPDATE govledger.record_chunk SET content = set_byte(content, 1000, get_byte(content, 1000) # 32) WHERE ctid = (SELECT min(ctid) FROM govledger.record_chunk)',
	'a chunk gone' => 'DELETE FROM govledger.record_chunk WHERE ctid = (SELECT max(ctid) FROM govledger.record_chunk)',
	'an entry gone' => 'DELETE FROM govledger.entry WHERE transaction_id = (SELECT transaction_ids[1] FROM govledger.leaf ORDER BY first_leaf LIMIT 1)',
	'an entry added' => q{INSERT INTO govledger.record_chunk VALUES ('999999999', 1, 0, '\x0102')},
	'a time' => q{UPDATE govledger.entry SET entry_time = entry_time - interval '1 second' WHERE transaction_id = (SELECT min(transaction_id) FROM govledger.entry)},
	'a position' => q{UPDATE govledger.entry SET "position" = "position" + 8 WHERE transaction_id = (SELECT min(transaction_id) FROM govledger.entry)},
	'a number of records' => 'UPDATE govledger.entry SET records = records + 1 WHERE transaction_id = (SELECT min(transaction_id) FROM govledger.entry)',
	'a secret' => q{UPDATE govledger.entry SET secret = set_byte(secret, 0, get_byte(secret, 0) # 1) WHERE transaction_id = (SELECT min(transaction_id) FROM govledger.entry)},
	'a claimed actor' => q{UPDATE govledger.entry SET claimed = replace(convert_from(claimed, 'UTF8'), 'clerk 1', 'clerk 2')::bytea WHERE claimed IS NOT NULL AND position('clerk 1' IN convert_from(claimed, 'UTF8')) > 0},
	'who it was' => q{UPDATE govledger.context SET content = overlay(content PLACING '\x58' FROM length(content))},
	'a personal value' => 'UPDATE govledger.personal SET content = set_byte(content, length(content) - 1, get_byte(content, length(content) - 1) # 1) WHERE ctid = (SELECT min(ctid) FROM govledger.personal)',
	'two entries swapped' => 'UPDATE govledger.leaf SET transaction_ids = transaction_ids[2:2] || transaction_ids[1:1] || transaction_ids[3:] WHERE first_leaf = (SELECT min(first_leaf) FROM govledger.leaf WHERE cardinality(transaction_ids) > 2)',
	'a seal' => 'UPDATE govledger.seal SET content = set_byte(content, 80, get_byte(content, 80) # 1) WHERE height = 2',
	'a root' => 'UPDATE govledger.seal SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE height = 2',
	'a right edge' => 'UPDATE govledger.seal SET right_edge = set_byte(right_edge, 0, get_byte(right_edge, 0) # 1) WHERE height = 2',
	'a tile' => 'UPDATE govledger.tile SET hashes = set_byte(hashes, 77, get_byte(hashes, 77) # 1) WHERE n = 0',
	'the root of a tile' => 'UPDATE govledger.tile SET root = set_byte(root, 0, get_byte(root, 0) # 1) WHERE n = 0',
	'a tile gone' => 'DELETE FROM govledger.tile WHERE n = 0',
	'a checkpoint' => q{UPDATE govledger.checkpoint SET note = regexp_replace(note, '(....)=\n$', E'AAAA=\n') WHERE tree_size = (SELECT min(tree_size) FROM govledger.checkpoint)},
	'a verifier key' => q{UPDATE govledger.signing_key SET verifier_key = regexp_replace(verifier_key, '....$', 'AAAA')},
	'an origin' => q{UPDATE govledger.ledger SET origin = 'example.org/other'},
	'a generation' => 'UPDATE govledger.ledger SET generation = 7; UPDATE govledger.leaf SET generation = 7; UPDATE govledger.entry SET generation = 7; UPDATE govledger.record_chunk SET generation = 7; UPDATE govledger.personal SET generation = 7',
	'an entry not sealed yet' => q{UPDATE govledger.entry SET record_root = sha256('x') WHERE transaction_id = (SELECT max(transaction_id) FROM govledger.entry)},
);
$damage{'nothing'} = 'DO $$ BEGIN END $$';
for my $what (sort keys %damage)
{
	my $damaged = $what ne 'nothing';
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $copies = join ';', map { "COPY govledger.$_ TO '$directory/$_.csv' CSV HEADER" } @tables;
	my $changed = $node->safe_psql('postgres', "BEGIN; SET LOCAL session_replication_role = replica; $damage{$what}; $copies; ROLLBACK");
	my $differs = grep { slurp_file("$dump/$_.csv") ne slurp_file("$directory/$_.csv") } @tables;
	ok(!$differs == !$damaged, "$what: damaged");
	my ($fine, $said) = reader($directory);
	ok(!$fine == $damaged && $said !~ /Traceback/, "$what: the reader says so") or diag($said);
	# what verify says of it comes from another hand, so both must see it
	$node->safe_psql('postgres', 'CREATE DATABASE damaged TEMPLATE postgres');
	my ($status, $findings) = $node->psql('damaged', "SET session_replication_role = replica; $damage{$what}; SET client_min_messages = warning; SELECT count(*) FROM govledger.verify() WHERE NOT ok ");
	ok($status == 0 && ($findings > 0) == $damaged, "$what: verify says so") or diag($findings // '');
	$node->safe_psql('postgres', 'DROP DATABASE damaged');
}

# And a table changed without its triggers.
my %silent = (
	'a value' => q{UPDATE person SET name = 'forged' WHERE id = 2},
	'a row gone' => 'DELETE FROM person WHERE id = 2',
	'a row added' => q{INSERT INTO person VALUES (500, 'forged')},
	'a row twice the same' => q{DELETE FROM person WHERE id = 1; UPDATE person SET id = 1 WHERE id = 2});
for my $what (sort keys %silent)
{
	$node->safe_psql('postgres', 'CREATE DATABASE damaged TEMPLATE postgres');
	$node->safe_psql('damaged', qq{SET client_min_messages = warning; ALTER TABLE person DISABLE TRIGGER "!govledger"; $silent{$what}; ALTER TABLE person ENABLE ALWAYS TRIGGER "!govledger"});
	my ($fine, $said) = command_output('python3', 'test/soak/replay.py', $node->connstr('damaged'));
	ok(!$fine && $said =~ /row/, "$what: replay says no") or diag($said);
	isnt($node->safe_psql('damaged', q{SELECT count(*) FROM govledger.verify('person') WHERE NOT ok AND key IS NOT NULL}), '0', "$what: verify names the row");
	$node->safe_psql('postgres', 'DROP DATABASE damaged');
}
is_clean($node, 'the original');
$node->stop;
done_testing();
