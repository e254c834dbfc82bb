# verify() finds nothing while eight writers, DDL and the sealer run; and ends when it is told to.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use sealtest;

my $node = new_ledger_node('concurrent', worker => 1);
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', q{
	CREATE TABLE account (id int PRIMARY KEY, balance numeric, note text);
	INSERT INTO account SELECT i, 0, repeat('x', 60) FROM generate_series(1, 2000) i;
	CREATE TABLE transfer (at timestamptz DEFAULT now(), source int, target int, amount numeric);
	CREATE TABLE scratch (id int PRIMARY KEY, v text);
	CREATE TABLE region (area int, id int, v text, PRIMARY KEY (area, id)) PARTITION BY LIST (area);
	CREATE TABLE region_0 PARTITION OF region FOR VALUES IN (0);
	CREATE TABLE region_1 PARTITION OF region FOR VALUES IN (1);
	CREATE TABLE region_2 PARTITION OF region FOR VALUES IN (2);
	INSERT INTO region SELECT i % 3, i, 'r' FROM generate_series(1, 300) i;
	SELECT govledger.protect('account', personal => '{note}');
	SELECT govledger.protect('transfer', append_only => true);
	SELECT govledger.protect('scratch');
	SELECT govledger.protect('region');});
spill("$dir/work.sql", q{\set a random(1, 2000)
\set b random(1, 2000)
\set r random(0, 2)
\set i random(1, 300)
BEGIN;
UPDATE account SET balance = balance - 1 WHERE id = least(:a, :b);
SAVEPOINT s;
UPDATE account SET balance = balance + 1, note = 'n' || :b WHERE id = greatest(:a, :b);
ROLLBACK TO s;
UPDATE account SET balance = balance + 1 WHERE id = greatest(:a, :b);
INSERT INTO transfer (source, target, amount) VALUES (:a, :b, 1);
COMMIT;
DELETE FROM scratch WHERE id = :i;
INSERT INTO scratch VALUES (:i, 'x') ON CONFLICT (id) DO UPDATE SET v = scratch.v || '.';
UPDATE region SET area = :r WHERE id = :i;
});
spill("$dir/ddl.sql", q{TRUNCATE scratch;
TRUNCATE region_1;
INSERT INTO region SELECT 1, 1000 + i, 'again' FROM generate_series(1, 20) i ON CONFLICT DO NOTHING;
ALTER TABLE region DETACH PARTITION region_2;
UPDATE region_2 SET v = v || '-';
ALTER TABLE region ATTACH PARTITION region_2 FOR VALUES IN (2);
\sleep 200 ms
});
my @writers = (
	start_pgbench('work.sql', 8),
	start_pgbench('ddl.sql', 1));
my ($runs, $findings, $waiting, $size) = (0, '', 0, 0);
my $end = time + 12;
while (time < $end)
{
	my $since = $runs % 3 == 2 ? "since => $size" : '';
	$findings .= $node->safe_psql('postgres', "SELECT * FROM govledger.verify($since) WHERE NOT ok");
	$size = $node->safe_psql('postgres', 'SELECT max(tree_size) FROM govledger.seal');
	$runs++;
}
$_->finish for @writers;
is($findings, '', 'no finding while others write');
cmp_ok($runs, '>=', 3, "$runs runs");
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM govledger.entry'), '>', 1000, 'there was something to verify');
is($node->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'nor afterwards');

# One silent edit among all that
$node->safe_psql('postgres', q{SET govledger.guards = off; ALTER TABLE account DISABLE TRIGGER USER; UPDATE account SET balance = 1e6 WHERE id = 77;
	ALTER TABLE account ENABLE ALWAYS TRIGGER "!govledger", ENABLE ALWAYS TRIGGER "!govledger_truncate"});
@writers = start_pgbench('work.sql', 8, 'fewer');
for my $i (1 .. 3)
{
	is($node->safe_psql('postgres', q{SELECT check_name, key, column_name FROM govledger.verify() WHERE NOT ok}),
		'rows|{"id": 77}|balance', 'one silent edit among writers');
}
$_->finish for @writers;

# Cancel
$node->safe_psql('postgres', q{INSERT INTO scratch SELECT i, repeat('y', 100) FROM generate_series(1000, 300000) i});
for my $timeout (20, 60, 150, 400)
{
	my $start = time;
	my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = $timeout; SELECT count(*) FROM govledger.verify()");
	like($err, qr/canceling statement due to statement timeout/, "cancelled after $timeout ms");
	cmp_ok(time - $start, '<', 2 + $timeout / 1000, 'at once');
}

# Memory: bounded by work_mem, also when every row must be sorted and named
$node->safe_psql('postgres', q{SET govledger.guards = off; ALTER TABLE scratch DISABLE TRIGGER USER; UPDATE scratch SET v = 'silent';
	ALTER TABLE scratch ENABLE ALWAYS TRIGGER "!govledger", ENABLE ALWAYS TRIGGER "!govledger_truncate"});
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query_until(qr/begun/, "SELECT pg_backend_pid();\n\\echo begun\n") =~ /(\d+)/ ? $1 : die 'no process id';
$session->query_until(qr/started/, "SET work_mem = '4MB';\n\\echo started\nSELECT count(*), 'over' FROM govledger.verify('scratch') WHERE NOT ok;\n\\echo all over\n");
my $peak = 0;
for (1 .. 2000)
{
	my ($anonymous) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
	$peak = $anonymous if $anonymous > $peak;
	last if $node->safe_psql('postgres', "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid") eq 't';
	select undef, undef, undef, 0.02;
}
$session->query_until(qr/all over/, '');
$session->quit;
cmp_ok($peak, '<', 40 * 1024, "$peak kB of its own memory with 300,000 damaged rows");
done_testing();

sub start_pgbench
{
	my ($script, $clients, $fewer) = @_;
	my ($out, $err) = ('', '');
	return IPC::Run::start(
		[
			'pgbench', '-n', '-f', "$dir/$script", '-c', $clients, '-j', 1, '-T', $fewer ? 4 : 12, '--max-tries=100',
			'-h', $node->host, '-p', $node->port, 'postgres'
		],
		'>', \$out, '2>', \$err);
}
