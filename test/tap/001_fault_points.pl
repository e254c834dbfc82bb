# Death by SIGKILL at every fault point of the write path and of the sealer; after recovery the log is as if the
# statement had or had not happened, and sealing and signing go on.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;

plan skip_all => 'no build with fault points' unless $ENV{GOVLEDGER_FAULT_CONF};

my $node = ledger_node('faults', fault => 1, key => 1);
$node->safe_psql('postgres', q{
	CREATE TABLE t (id bigint PRIMARY KEY, v text, secret text);
	INSERT INTO t SELECT g, 'before' FROM generate_series(1, 10) g;
	SELECT govledger.protect('t', personal => '{secret}');
	SELECT govledger.seal();});

# A change that is committed and answered for, before each death.
my $committed = 0;
my $commit = sub {
	$committed++;
	$node->safe_psql('postgres', "INSERT INTO t VALUES (1000 + $committed, 'committed', 'x')");
	return;
};
my $state = sub {
	return $node->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE v = 'committed'), count(*) FILTER (WHERE v = 'lost') FROM t});
};
my $as_before = sub {
	my ($test) = @_;
	is($state->(), 10 + $committed . "|$committed|0", "$test: what was committed is there, and nothing else");
	is_clean($node, $test);
	like($node->safe_psql('postgres', 'SELECT govledger.seal()'), qr/\n\n/, "$test: sealing and signing go on");
	is($node->safe_psql('postgres', 'SELECT unsealed_entries, unsigned_blocks FROM govledger.status'), '0|0', "$test: nothing waits");
	ok(note_checkpoints($node), "$test: one tree of each size was signed");
	return;
};

# The write path: everything before the commit record.
my $small = q{INSERT INTO t SELECT g, 'lost', 'secret' FROM generate_series(-4020, -4001) g; UPDATE t SET v = 'lost' WHERE id = 1; DELETE FROM t WHERE id = 2};
my $large = q{INSERT INTO t SELECT g, 'lost', repeat('long', 100) FROM generate_series(-3000, -1) g};
my %work = (
	'flush-before' => { 'one flush' => "BEGIN; $large; COMMIT", 'a flush in a savepoint' => "BEGIN; $small; SAVEPOINT a; $large; COMMIT" },
	'flush-after' => { 'one flush' => "BEGIN; $large; COMMIT", 'a flush in a savepoint' => "BEGIN; INSERT INTO t VALUES (-5000, 'lost'); SAVEPOINT a; $large; RELEASE a; COMMIT" },
	'entry-before' => { 'commit' => "BEGIN; $small; COMMIT", 'PREPARE' => "BEGIN; $small; PREPARE TRANSACTION 'never'" },
	'entry-after' => { 'commit' => "BEGIN; $small; COMMIT", 'commit after flushes' => "BEGIN; $large; COMMIT", 'PREPARE' => "BEGIN; $small; PREPARE TRANSACTION 'never'" });
for my $point (sort keys %work)
{
	for my $what (sort keys %{ $work{$point} })
	{
		$commit->();
		crash_and_recover($node, $point, $work{$point}{$what}, "$point, $what");
		is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '0', "$point, $what: nothing is prepared");
		$as_before->("$point, $what");
	}
}

# The sealer, as seal() and as the worker.
my @points = qw(seal-before-commit seal-after-commit sign-before-state sign-after-state sign-before-commit sign-after-commit);
for my $point (@points)
{
	my $test = "$point, seal()";
	$commit->();
	set_fault($node, $point);
	$node->reload;
	# seal() starts a process that reads the setting by itself; a reload may take a moment to get there
	for (1 .. 100)
	{
		my ($status) = $node->psql('postgres', 'SELECT govledger.seal()');
		last if $status != 0;
		$commit->();
	}
	wait_until_down($node);
	recover($node);
	$as_before->($test);
}
$node->adjust_conf('postgresql.conf', 'govledger.databases', 'postgres');
$node->restart;
for my $point (@points)
{
	my $test = "$point, worker";
	ok($node->poll_query_until('postgres', 'SELECT worker_running FROM govledger.status'), "$test: there is a worker");
	set_fault($node, $point);
	$node->reload;
	for (1 .. 100)
	{
		# nobody answers for this one if the worker was quicker
		my ($status) = $node->psql('postgres', 'INSERT INTO t SELECT 1000 + ' . ($committed + 1) . ", 'committed', 'x'");
		last if $status != 0;
		$committed++;
		last unless -e $node->data_dir . '/postmaster.pid';
	}
	wait_until_down($node);
	recover($node);
	my $found = $node->safe_psql('postgres', q{SELECT count(*) FROM t WHERE v = 'committed'});
	ok($found == $committed || $found == $committed + 1, "$test: at most the one that was not answered for came through");
	$committed = $found;
	is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', "$test: the worker seals and signs again");
	$as_before->($test);
}

# Whatever was ever signed is a tree of this log.
is($node->safe_psql('postgres',
		"SELECT * FROM govledger.verify(against => (SELECT array_agg(note) FROM govledger.checkpoint)) WHERE NOT ok"), '', 'verify against all checkpoints');
$node->stop;
done_testing();
