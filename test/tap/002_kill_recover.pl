# kill -9 of backends, of the sealer and of the postmaster under load; prepared transactions across crash and restart;
# commits that did not wait for the disk.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;

my $seed = $ENV{GOVLEDGER_SEED} // time;
my $rounds = $ENV{GOVLEDGER_ROUNDS} // 3;
srand $seed;
diag("seed $seed (GOVLEDGER_SEED)");

my $node = ledger_node('kill', key => 1, worker => 1, conf => "wal_writer_delay = 200ms\n");
$node->safe_psql('postgres', q{
	CREATE TABLE account (id integer PRIMARY KEY, owner text, balance bigint NOT NULL DEFAULT 0);
	CREATE TABLE transfer (id bigserial, month integer, payer integer, payee integer, amount bigint, note text, PRIMARY KEY (month, id))
		PARTITION BY LIST (month);
	CREATE TABLE transfer_1 PARTITION OF transfer FOR VALUES IN (1);
	CREATE TABLE transfer_x PARTITION OF transfer DEFAULT;
	INSERT INTO account SELECT g, 'owner ' || g FROM generate_series(1, 100) g;
	SELECT govledger.protect('account', personal => '{owner}');
	SELECT govledger.protect('transfer', append_only => true);});
my $script = PostgreSQL::Test::Utils::tempdir() . '/script';
open my $out, '>', $script or die "$script: $!\n";
print $out q{\set a random(1, 100)
\set b random(1, 100)
\set n random(1, 40)
BEGIN;
INSERT INTO transfer (month, payer, payee, amount, note) SELECT :n % 3, :a, :b, g, repeat('n', :n * 10) FROM generate_series(1, :n) g;
SAVEPOINT s;
UPDATE account SET balance = balance - :n WHERE id = least(:a, :b);
ROLLBACK TO s;
UPDATE account SET balance = balance - :n * (:n + 1) / 2 WHERE id = least(:a, :b);
UPDATE account SET balance = balance + :n * (:n + 1) / 2 WHERE id = greatest(:a, :b);
COMMIT;
};
close $out or die "$script: $!\n";

sub postmaster_pid
{
	return (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
}

my $balanced = q{SELECT coalesce(sum(balance), 0) = 0 FROM account};
for my $round (1 .. $rounds)
{
	my $victim = ('a backend', 'the sealer', 'the postmaster')[ $round % 3 ];
	my $sync = $round % 2 ? 'off' : 'on';
	my $test = "round $round: $victim, synchronous_commit $sync";
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM govledger.checkpoint');
	local $ENV{PGAPPNAME} = 'load';
	local $ENV{PGOPTIONS} = "-c synchronous_commit=$sync";
	my $load = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '4', '-j', '1', '-T', '60', '-R', '100', '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', '/dev/null', '2>', '/dev/null');

	# let the sealer sign something under the load, and then a little more
	$node->poll_query_until('postgres', "SELECT count(*) > $before + 1 FROM govledger.checkpoint");
	$node->poll_query_until('postgres', "SELECT count(*) = 4 FROM pg_stat_activity WHERE application_name = 'load' AND pid <> pg_backend_pid()");
	select undef, undef, undef, rand 0.5;
	my $kind = $victim eq 'the sealer' ? "backend_type LIKE 'govledger%'" : "application_name = 'load' AND pid <> pg_backend_pid()";
	my $pid = $victim eq 'the postmaster' ? postmaster_pid()
	  : $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $kind AND datname = 'postgres' ORDER BY random() LIMIT 1");
	like($pid, qr/^\d+$/, "$test: found");
	if ($victim eq 'the postmaster')
	{
		$node->kill9;
	}
	else
	{
		kill 'KILL', $pid;
		wait_until_down($node);
	}
	$load->finish;
	# orphans notice that their postmaster is gone and leave; until then the data directory is theirs
	my $started = 0;
	for (1 .. 100)
	{
		$node->{_pid} = undef;
		last if $started = $node->start(fail_ok => 1);
		select undef, undef, undef, 0.1;
	}
	ok($started, "$test: recovers") or last;
	is($node->safe_psql('postgres', $balanced), 't', "$test: no transaction is there by half");
	is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', "$test: sealing and signing go on");
	ok(note_checkpoints($node), "$test: one tree of each size was signed");
	is_clean($node, $test);
}

# A prepared transaction survives crash and restart and is in no block until its end; others do not wait for it.
my $unsealed = 'SELECT unsealed_entries FROM govledger.status';
for my $how ('immediate', 'fast')
{
	for my $end ('COMMIT', 'ROLLBACK')
	{
		my $test = "prepared, $how restart, $end";
		$node->safe_psql('postgres', "BEGIN; UPDATE account SET owner = owner || ' $how $end' WHERE id <= 10; SAVEPOINT a;"
			  . " INSERT INTO transfer (month, amount) SELECT 1, g FROM generate_series(1, 5000) g; PREPARE TRANSACTION 'p'");
		$node->safe_psql('postgres', "UPDATE account SET owner = owner || '.' WHERE id = 20");
		is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', "$test: does not delay others");
		is_clean($node, "$test: while open");
		my $entries = $node->safe_psql('postgres', 'SELECT count(*) FROM govledger.entry');
		$node->stop($how);
		$node->start;
		is($node->safe_psql('postgres', 'SELECT count(*) FROM govledger.entry'), $entries, "$test: not there after the restart");
		$node->safe_psql('postgres', "$end PREPARED 'p'");
		is($node->safe_psql('postgres', 'SELECT count(*) FROM govledger.entry') - $entries, $end eq 'COMMIT' ? 1 : 0, "$test: there as it ended");
		is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', "$test: sealed");
		is_clean($node, $test);
	}
}

# What did not wait for the disk and was lost is lost from table and log alike, and what a checkpoint covers is never lost.
for my $round (1 .. 3)
{
	my $test = "asynchronous commits, round $round";
	$node->safe_psql('postgres', 'SET synchronous_commit = off;' . join ';', map {"INSERT INTO transfer (month, amount) VALUES (7, $_)"} 1 .. 300);
	note_checkpoints($node);
	my $before = $node->safe_psql('postgres', 'SELECT note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1');
	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', "SELECT * FROM govledger.verify(against => ARRAY['$before']) WHERE NOT ok"), '', "$test: the last checkpoint holds");
	is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', "$test: sealing goes on");
	ok(note_checkpoints($node), "$test: one tree of each size was signed");
	is_clean($node, $test);
}
$node->stop;
done_testing();
