# A signed part of the log is lost for good: a successor begins that says so, and what is left stays provable.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;
use sealtest;

my $keys = key_directory();
my $node = new_ledger_node('original', init => { allows_streaming => 1 }, conf => "govledger.origin = 'example.org/log'\n");
my $seal = 'SELECT govledger.seal()';
my @notes;

sub write_row
{
	my ($n, $id, $v) = @_;
	return $n->safe_psql('postgres', "INSERT INTO t VALUES ($id, '$v')");
}

# Every checkpoint but those given as a pattern of sizes agrees with the log; returns what verify says of these.
sub against
{
	my ($n, $test, $lost, @given) = @_;
	my $list = join ', ', map { "\$note\$$_\$note\$" } @given;
	my $rows = $n->safe_psql('postgres',
		"SELECT object || ': ' || detail FROM govledger.verify(against => ARRAY[$list]) WHERE NOT ok");
	my @unexpected = grep { !/^$lost: / } split /\n/, $rows;
	is("@unexpected", '', "$test: every other checkpoint is in the log");
	return $rows;
}

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', q{
	CREATE TABLE person (id int PRIMARY KEY, name text);
	SELECT govledger.protect('person', personal => '{name}');
	INSERT INTO person SELECT i, 'name ' || i FROM generate_series(1, 400) i});
push @notes, $node->safe_psql('postgres', $seal);
write_row($node, $_, 'kept') for 1 .. 3;
push @notes, $node->safe_psql('postgres', $seal);
my $kept = $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.status');
write_row($node, 4, 'sealed after the restore');
$node->backup('early');
$node->safe_psql('postgres', q{UPDATE person SET name = 'lost' WHERE id = 1});
push @notes, $node->safe_psql('postgres', $seal);
write_row($node, 5, 'lost');
push @notes, $node->safe_psql('postgres', $seal);
my $lost_size = $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.status');
fails_like($node, q{SELECT govledger.start_successor('x')}, qr/nothing that was signed is lost\nDETAIL.*$lost_size leaves.*\nHINT:  Go on/,
	'where nothing is lost');
$node->stop;

# The backup is all that is left. The signer refuses, and says what to do.
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($node, 'early');
$restored->start;
my $sql = sub { return $restored->safe_psql('postgres', $_[0]) };
my $refused = sub { my ($statement, $pattern, $test) = @_; return fails_like($restored, $statement, $pattern, $test) };
$refused->($seal, qr/refusing to sign: this database lacks entries.*\nDETAIL.*\nHINT:.*start_successor/, 'the signer');
is($sql->('SELECT unsealed_entries, unsigned_blocks FROM govledger.status'), '0|1', 'what was waiting is sealed, not signed');
my $tail = $sql->('SELECT tree_size FROM govledger.status');

$refused->(q{SELECT govledger.start_successor(' ')}, qr/a reason for starting a successor must be given/, 'no reason');
$refused->(q{SELECT govledger.start_successor(NULL)}, qr/a reason for starting a successor must be given/, 'NULL reason');
$refused->(q{SELECT govledger.start_successor('x', origin => 'a b')}, qr/invalid origin/, 'an origin that is none');
$refused->(q{SELECT govledger.start_successor('x', origin => 'example.org/log')}, qr/was used before/, 'the same origin');
$refused->(q{BEGIN; INSERT INTO t VALUES (77, 'x'); SELECT govledger.start_successor('x')},
	qr/this transaction has changed ledger tables/, 'pending changes');
$restored->psql('postgres', q{BEGIN; INSERT INTO t VALUES (78, 'x'); PREPARE TRANSACTION 'waiting'});
$refused->(q{SELECT govledger.start_successor('x')}, qr/while transactions are prepared\nDETAIL.*waiting/, 'a prepared transaction');
$sql->(q{ROLLBACK PREPARED 'waiting'});
$refused->(q{SELECT govledger.start_successor('x', 'no checkpoint')}, qr/is no checkpoint\nHINT/, 'no checkpoint');
$refused->("SELECT govledger.start_successor('x', \$\$" . ($notes[3] =~ s{example.org/log}{example.org/other}gr) . '$$)',
	qr/is of log "example.org\/other"/, 'a checkpoint of another log');
$refused->("SELECT govledger.start_successor('x', \$\$" . ($notes[3] =~ s/\n\K(\d+)/$1 + 50/er) . '$$)',
	qr/no key of this log signed/, 'a forged checkpoint');
$refused->("SELECT govledger.start_successor('x', \$\$$notes[0]\$\$)", qr/is older than this log/, 'a checkpoint from before');
$sql->(q{CREATE ROLE somebody});
$refused->(q{SET ROLE somebody; SELECT govledger.start_successor('x')}, qr/permission denied/, 'not an admin');
$sql->(q{INSERT INTO govledger.entry (transaction_id, "position", entry_time, records, context_id, generation, record_root, context_commitment)
	SELECT '999999', "position", entry_time, records, context_id, generation, record_root, context_commitment FROM govledger.entry LIMIT 1});
$refused->(q{SELECT govledger.start_successor('x')}, qr/was not written by the transaction 999999/, 'a forged entry that waits');
$sql->(q{DELETE FROM govledger.entry WHERE transaction_id = '999999'});
# without the memory of the signer, a checkpoint must say what is lost
my $memory = slurp_file("$keys/key.state");
spill("$keys/key.state", "govledger signer state v1\n");
$refused->(q{SELECT govledger.start_successor('x')}, qr/not known that anything is lost\n.*\nHINT:.*last_checkpoint/, 'nobody knows');
$refused->("SELECT govledger.start_successor('x', \$\$$notes[1]\$\$)", qr/nothing that was signed is lost/, 'a checkpoint of what is here');
spill("$keys/key.state", $memory);

# Writers that are at work belong to one side or the other, whole.
write_row($restored, 6, 'waits for no seal');
my $writer = $restored->background_psql('postgres');
$writer->query_safe(q{BEGIN; INSERT INTO person SELECT i, repeat('x', 1000) FROM generate_series(1001, 1600) i});
my $starter = $restored->background_psql('postgres');
$starter->query_until(qr/begun/, "\\echo begun\nSELECT govledger.start_successor('the disk burnt', \$\$$notes[3]\$\$);\n");
ok($restored->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'govledger.record_chunk'::regclass}),
	'it waits for a writer that has written');
$writer->query_safe(q{INSERT INTO t VALUES (7, 'in the same entry'); COMMIT});
is($starter->query(q{SELECT 'over'}) =~ /over/ ? 1 : 0, 1, 'and goes on');
$writer->quit;
$starter->quit;
is($sql->('SELECT origin || generation FROM govledger.status'), 'example.org/log/22', 'the next log, the next generation');
is($sql->(q{SELECT origin, tree_size, lost_from, known_size FROM govledger.former_log}), "example.org/log|$tail|$kept|$lost_size",
	'what was lost');
is($sql->('SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'verify before the first seal');
push @notes, $sql->($seal);
like($notes[-1], qr{\Aexample.org/log/2\n\d+\n}, 'the first checkpoint of the new log');
note_is_signed($notes[-1], $sql->('SELECT verifier_key FROM govledger.signing_key WHERE replaced_at IS NULL'), 'new log');
is($sql->(q{SELECT string_agg(r.kind, ',' ORDER BY r.kind) FROM govledger.entry e, govledger.entry_records(e.transaction_id, e.generation) r
	 WHERE e.generation = 2}), 'key,succession', 'its entries');
is($sql->(q{SELECT count(*) FROM govledger.signing_key}), '2', 'the new key of the new log');
fails_like($restored, q{SELECT govledger.start_successor('again')}, qr/not known that anything is lost|nothing that was signed is lost/, 'again');
is_clean($restored, 'new log');
log_is_sound($restored, 'new log');

# It goes on, and every checkpoint from before the loss still holds; those of the lost part are told apart.
write_row($restored, 8, 'new');
$sql->(q{UPDATE person SET name = 'new' WHERE id = 2; DELETE FROM t WHERE id = 1});
write_row($restored, 100 + $_, 'new') for 1 .. 300;
push @notes, $sql->($seal);
my ($middle) = $notes[2] =~ /\n(\d+)\n/;
my $said = against($restored, 'checkpoints of both', qr/checkpoint (?:$middle|$lost_size)/, @notes);
like($said, qr/checkpoint $lost_size: it signs leaves of the former log that were given up as lost: see the succession record of entry 2/,
	'a lost checkpoint');
is($sql->("SELECT count(*) FROM govledger.verify(against => ARRAY[\$\$$notes[0]\$\$, \$\$$notes[-1]\$\$], since => $kept) WHERE NOT ok"), '0', 'since');
is($sql->('SELECT count(*) FROM govledger.verify(since => (SELECT max(tree_size) FROM govledger.checkpoint)) WHERE NOT ok'), '0', 'since later');
my @proof = split /,/, $sql->(q{SELECT array_to_string(array(SELECT encode(p, 'hex') FROM unnest(govledger.inclusion_proof(1, (SELECT max(tree_size)
	FROM govledger.seal))) WITH ORDINALITY u (p, n) ORDER BY n), ',')});
my ($size) = $notes[-1] =~ /\n(\d+)\n/;
my $leaf = $sql->(q{SELECT encode(substring(govledger.tile(0, 0) FROM 33 FOR 32), 'hex')});
is(inclusion_root(1, $size, pack('H*', $leaf), map { pack 'H*', $_ } @proof), (checkpoint_fields($notes[-1]))[3],
	'an old entry is proved by the new checkpoint');
log_is_sound($restored, 'grown');
is_clean($restored, 'grown');

# Nothing can be hidden behind it.
my %damage = (
	'an old record' => q{UPDATE govledger.record_chunk SET content = set_byte(content, 100, get_byte(content, 100) # 1) WHERE generation = 1 AND first_record = 0},
	'an old personal value' => q{UPDATE govledger.personal SET content = set_byte(content, length(content) - 1, 88) WHERE record = 5},
	'an old entry gone' => q{DELETE FROM govledger.entry WHERE transaction_id = (SELECT transaction_ids[1] FROM govledger.leaf WHERE first_leaf = 0)},
	'an old seal' => q{UPDATE govledger.seal SET content = set_byte(content, 30, get_byte(content, 30) # 1) WHERE height = 2},
	'an old checkpoint' => q{UPDATE govledger.checkpoint SET note = regexp_replace(note, '\n\d+\n', E'\n1\n') WHERE tree_size = (SELECT min(tree_size) FROM govledger.checkpoint)},
	'an old row' => q{UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = 't'::regclass; UPDATE t SET v = 'changed' WHERE id = 2},
	'no former log' => 'DELETE FROM govledger.former_log',
	'another former log' => q{INSERT INTO govledger.former_log VALUES (9, 'example.org/x', 1, 0, 5, sha256(''))},
	'its origin' => q{UPDATE govledger.former_log SET origin = 'example.org/x'},
	'its size' => 'UPDATE govledger.former_log SET tree_size = tree_size - 1',
	'what was lost' => 'UPDATE govledger.former_log SET lost_from = 0',
	'what was known' => 'UPDATE govledger.former_log SET known_size = known_size + 1',
	'its root' => q{UPDATE govledger.former_log SET known_root = sha256('')},
	'the origin' => q{UPDATE govledger.ledger SET origin = 'example.org/log'},
);
my $dir = PostgreSQL::Test::Utils::tempdir();
my @tables = qw(ledger former_log context entry record_chunk personal leaf seal tile checkpoint signing_key);
for my $what (sort keys %damage)
{
	my $copy = join '', map { "COPY govledger.$_ TO '$dir/$_.csv' CSV HEADER;" } @tables;
	my $found = $sql->("BEGIN; $damage{$what}; $copy
		SELECT count(*) FROM govledger.verify() WHERE NOT ok AND check_name <> 'trigger'; ROLLBACK");
	cmp_ok($found, '>', 0, "verify finds $what");
	cmp_ok($found, '<', 8, "and says it in few rows: $what");
	my ($ok) = command_output('python3', 'test/interop/govledger.py', 'check-log', $dir);
	ok(!$ok, "the reader finds $what") if $what =~ /^(?:no former log|its origin|its size|what was lost|the origin)$/;
}
is_clean($restored, 'after the damage');

# A dump of it goes elsewhere, is adopted, and is lost again there: a third log.
$restored->command_ok([ 'pg_dump', '-Fc', '-f', "$keys/dump", 'postgres' ], 'dump');
write_row($restored, 900, 'lost too');
push @notes, $sql->($seal);
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "fsync = off\ngovledger.databases = 'nowhere'\ngovledger.signing_key = '$keys/key'\ngovledger.origin = 'example.org/log'\n");
$other->start;
$other->command_ok([ 'pg_restore', '-d', 'postgres', "$keys/dump" ], 'restore');
fails_like($other, q{INSERT INTO t VALUES (999, 'x')}, qr/start_successor/, 'not its own yet');
is($other->safe_psql('postgres', q{SELECT govledger.start_successor('again', origin => 'example.org/third')}), 'example.org/third', 'the third log');
$other->safe_psql('postgres', q{INSERT INTO t VALUES (999, 'x')});
push @notes, $other->safe_psql('postgres', $seal);
like($notes[-1], qr{\Aexample.org/third\n}, 'signs');
is($other->safe_psql('postgres', 'SELECT count(DISTINCT generation) FROM govledger.entry'), '3', 'three generations');
is_clean($other, 'third log');
log_is_sound($other, 'third log');
my ($lost_too) = $notes[-2] =~ /\n(\d+)\n/;
against($other, 'checkpoints of all three', qr/checkpoint (?:$middle|$lost_size|$lost_too)/, @notes);
ok($other->safe_psql('postgres', q{SELECT govledger.rotate_key('} . make_key($other, "$keys/key2") . q{', 'a new key')}), 'rotate_key');
is_clean($other, 'rotated');

sub make_key
{
	my ($n, $file) = @_;
	$n->safe_psql('postgres', "SELECT govledger.generate_key('$file')");
	return $file;
}
done_testing();
