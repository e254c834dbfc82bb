# The sealer of a database: when it runs, when it does not, and what survives its end.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $node = new_ledger_node('worker', worker => 1, conf => "restart_after_crash = on\n");
my $keys = key_directory();
my $pids = q{SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE backend_type = 'govledger sealer' AND datname = };
my $sealed = sub {
	my ($test, $database) = @_;
	$node->safe_psql($database // 'postgres', "SELECT govledger.note('x')");
	return is($node->safe_psql($database // 'postgres', q{SELECT govledger.wait_sealed('20 s')}), 't', $test);
};
my $runs = sub {
	my ($expected, $test, $database) = @_;
	$database //= 'postgres';
	return ok($node->poll_query_until('postgres', "SELECT ($pids '$database') IS NOT NULL", $expected ? 't' : 'f'), $test);
};

$sealed->('the worker starts with CREATE EXTENSION');
is($node->safe_psql('postgres', 'SELECT worker_running, key_state FROM govledger.status'), 't|none configured', 'status');
wait_for_log_line($node, qr/no signing key is configured, so seals are not signed/, 'says that there is no key');

# A key, without a restart.
$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->poll_query_until('postgres', q{SELECT key_state = 'registered' FROM govledger.status}) or die 'key not registered';
$sealed->('seals and signs');
is($node->safe_psql('postgres', 'SELECT unsigned_blocks FROM govledger.status'), '0', 'all is signed');
my ($p50, $p99) = split /\|/, $node->safe_psql('postgres',
	q{SELECT extract(epoch FROM latency_p50), extract(epoch FROM latency_p99) FROM govledger.status});
ok($p50 > 0 && $p50 <= $p99, 'latency is measured');

# ALTER DATABASE reaches a running worker.
my $before = $node->safe_psql('postgres', "$pids 'postgres'");
$node->safe_psql('postgres', "ALTER DATABASE postgres SET govledger.signing_key = '$keys/none'");
$node->safe_psql('postgres', q{SELECT govledger.note('y')});
$node->poll_query_until('postgres', q{SELECT key_state LIKE 'unreadable: %' FROM govledger.status}) or die 'setting not seen';
isnt($node->safe_psql('postgres', "$pids 'postgres'"), $before, 'a new process reads the new setting');
ok($node->poll_query_until('postgres', 'SELECT unsealed_entries = 0 AND unsigned_blocks > 0 FROM govledger.status'),
	'without a key it seals all the same');
like($node->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), qr/could not .*sign.*: could not open signing key/,
	'status says why');
for (1 .. 3) { $node->safe_psql('postgres', "SELECT govledger.note('z')"); }
sleep 2;
is(scalar(() = slurp_file($node->logfile) =~ /WARNING:  govledger could not sign/g), 1, 'the log says it once');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET govledger.signing_key');
ok($node->poll_query_until('postgres', q{SELECT last_error IS NULL AND unsigned_blocks = 0 FROM govledger.status}),
	'a success takes the error back');

# A worker that dies comes back; so does one whose end takes all others with it.
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'govledger sealer'");
$sealed->('after SIGTERM');
my $victim = $node->safe_psql('postgres', "$pids 'postgres'");
kill 'KILL', $victim;
$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
$sealed->('after SIGKILL and crash recovery');
my $launcher = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'govledger launcher'");
$before = $node->safe_psql('postgres', "$pids 'postgres'");
kill 'TERM', $launcher;
ok($node->poll_query_until('postgres',
		"SELECT pid <> $launcher FROM pg_stat_activity WHERE backend_type = 'govledger launcher'"), 'the launcher comes back');
sleep 2;
is($node->safe_psql('postgres', "$pids 'postgres'"), $before, 'and starts no second worker');
$node->restart;
$sealed->('after a restart');

# A cancelled worker loses nothing.
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'govledger%'");
$sealed->('after a cancel');

# Databases come and go.
$node->safe_psql('postgres', 'CREATE DATABASE plain');
sleep 1;
$runs->(0, 'no worker without the extension', 'plain');
$node->safe_psql('plain', q{CREATE EXTENSION govledger; CREATE TABLE t (id int PRIMARY KEY); SELECT govledger.protect('t')});
$sealed->('extension added', 'plain');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE plain');
ok($node->poll_query_until('copy', 'SELECT worker_running FROM govledger.status'), 'CREATE DATABASE from a database in use');
$sealed->('and that one goes on', 'plain');
ok($node->poll_query_until('copy', q{SELECT last_error LIKE '%is not the one that holds the ledger%' FROM govledger.status}),
	'the copy seals nothing');
$node->safe_psql('postgres', q{ALTER DATABASE copy SET govledger.signing_key = ''});
is($node->safe_psql('copy', q{SELECT govledger.adopt('training')}), '2', 'until it is made a ledger of its own');
$node->safe_psql('postgres', 'ALTER DATABASE copy RENAME TO other');
my $sealed_other = sub {
	$node->safe_psql('other', q{SELECT govledger.note('x')});
	return ok($node->poll_query_until('other', 'SELECT unsealed_entries = 0 FROM govledger.status'), shift);
};
$sealed_other->('renamed');
log_is_sound($node, 'a copy', 'other');
my ($status, $out, $err) = $node->psql('postgres', 'BEGIN; ALTER DATABASE other RENAME TO third; ROLLBACK');
$sealed_other->('rename rolled back');
$node->safe_psql('postgres', 'DROP DATABASE other');
pass('DROP DATABASE with a worker in it');
fails_like($node, 'DROP DATABASE plain', qr/must be owner/, 'somebody else\'s DROP DATABASE', extra_params => ['-U', 'nobody_at_all'])
  if $node->safe_psql('postgres', 'CREATE ROLE nobody_at_all LOGIN') eq '';
$sealed->('stops nothing', 'plain');
$node->safe_psql('plain', 'SET govledger.guards = off; DROP EXTENSION govledger CASCADE');
$runs->(0, 'DROP EXTENSION ends the worker', 'plain');
$node->safe_psql('plain', q{DROP TABLE IF EXISTS t_history; CREATE EXTENSION govledger; SELECT govledger.protect('t')});
ok($node->poll_query_until('plain', q{SELECT last_error LIKE '%lacks entries that were signed already%' FROM govledger.status}),
	'a new log does not go on under the name of the old one');
$node->safe_psql('plain', 'SET govledger.guards = off; DROP EXTENSION govledger CASCADE');
$node->safe_psql('postgres', q{ALTER DATABASE plain SET govledger.origin = 'example.org/again'});
$node->safe_psql('plain', q{DROP TABLE IF EXISTS t_history; CREATE EXTENSION govledger; SELECT govledger.protect('t')});
$sealed->('and CREATE EXTENSION starts one again', 'plain');
$node->safe_psql('plain', 'BEGIN; SET govledger.guards = off; DROP EXTENSION govledger CASCADE; CREATE EXTENSION govledger; ROLLBACK');
$sealed->('rolled back', 'plain');

# Another extension brings it along; many databases without it take no slots.
my $extensions = "$ENV{GOVLEDGER_STAGE}" . `pg_config --sharedir` =~ s/\n//r . '/extension';
SKIP:
{
	skip 'the stage is not ours to write', 1 unless -w $extensions;
	spill("$extensions/needs_govledger.control", "default_version = '1'\nrequires = 'govledger'\n");
	spill("$extensions/needs_govledger--1.sql", "SELECT 1;\n");
	$node->safe_psql('postgres', 'CREATE DATABASE package');
	$node->safe_psql('package', 'CREATE EXTENSION needs_govledger CASCADE');
	$runs->(1, 'CREATE EXTENSION ... CASCADE', 'package');
	$node->safe_psql('postgres', 'DROP DATABASE package');
}
$node->safe_psql('postgres', "CREATE DATABASE many$_") for 1 .. 12;
$node->restart;
$sealed->('a restart with many databases');
$sealed->('in both with the extension', 'plain');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'govledger sealer'}),
	'and nowhere else');
unlike(slurp_file($node->logfile), qr/out of background worker slots/, 'no slot is missed');

# The list of databases.
set_system($node, 'govledger.databases' => 'plain, "No Such"');
$runs->(0, 'not in the list');
$runs->(1, 'in the list', 'plain');
fails_like($node, q{ALTER SYSTEM SET govledger.databases = 'a b'}, qr/invalid value.*\nDETAIL/, 'no list');
fails_like($node, 'SELECT govledger.note($$x$$); SELECT govledger.wait_sealed()', qr/no sealer is running for this database\nHINT/,
	'nobody to wait for');
set_system($node, 'govledger.databases' => '*');
$runs->(1, 'all of them again');

# govledger.seal() needs neither worker nor preload, but a slot.
set_system($node, 'govledger.databases' => 'nowhere');
$runs->(0, 'no worker');
$node->safe_psql('postgres', q{SELECT govledger.note('x')});
like($node->safe_psql('postgres', 'SELECT govledger.seal()'), qr{\Agovledger.invalid/}, 'seal() without a worker');
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\nmax_worker_processes = 2\n");
$node->restart;
$node->safe_psql('postgres', q{INSERT INTO t VALUES (1, 'x')});
like($node->safe_psql('postgres', 'SELECT govledger.seal()'), qr{\Agovledger.invalid/}, 'seal() without preload');
is($node->safe_psql('postgres', 'SELECT unsealed_entries, worker_running FROM govledger.status'), '0|f', 'status without preload');
fails_like($node, q{SELECT govledger.note('x'); SELECT govledger.wait_sealed()}, qr/no sealer.*\nHINT:  Add govledger to shared_preload/,
	'wait_sealed without preload');
$node->append_conf('postgresql.conf', "max_worker_processes = 1\n");
$node->restart;
fails_like($node, 'SELECT govledger.seal()', qr/out of background worker slots\nHINT:.*max_worker_processes/, 'no slot');
fails_like($node, 'BEGIN; CREATE DATABASE x', qr/cannot run inside a transaction block/, 'a refused command');

log_is_sound($node, 'after all that');
done_testing();
