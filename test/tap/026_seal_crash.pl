# kill -9 at every stage of sealing and signing: doing it again gives what would have been.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $keys = key_directory();
my $node = new_ledger_node('crash', conf => "restart_after_crash = on\n" . slurp_file($ENV{GOVLEDGER_FAULT_CONF}));
my $seal = 'SELECT govledger.seal()';
my $counts = q{SELECT (SELECT count(*) FROM govledger.seal), (SELECT count(*) FROM govledger.checkpoint),
	(SELECT count(*) FROM govledger.entry) - (SELECT coalesce(sum(cardinality(transaction_ids)), 0) FROM govledger.leaf)};

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', $seal);
my $verifier = $node->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key');
my ($seals, $checkpoints) = (1, 1);

# point, what of the new block is there afterwards: seal, state file, checkpoint
for my $case ([ 'seal-before-commit', 0, 0, 0 ], [ 'seal-after-commit', 1, 0, 0 ], [ 'sign-before-state', 1, 0, 0 ],
	[ 'sign-after-state', 1, 1, 0 ], [ 'sign-before-commit', 1, 1, 0 ], [ 'sign-after-commit', 1, 1, 1 ])
{
	my ($point, $sealed, $remembered, $signed) = @$case;
	my $state = slurp_file("$keys/key.state");

	$node->safe_psql('postgres', "SELECT govledger.note('before $point')");
	set_system($node, 'govledger.fault' => $point);
	my ($status) = $node->psql('postgres', $seal);
	isnt($status, 0, "$point: crash");
	ok($node->poll_query_until('postgres', 'SELECT true'), "$point: recovery");
	is($node->safe_psql('postgres', $counts), join('|', $seals + $sealed, $checkpoints + $signed, $sealed ? 0 : 1),
		"$point: what is left");
	is(slurp_file("$keys/key.state") ne $state ? 1 : 0, $remembered, "$point: state file");
	set_system($node, 'govledger.fault' => undef);
	if ($point =~ /^sign/)
	{
		# more may happen before it is signed after all
		$node->safe_psql('postgres', "SELECT govledger.note('after $point')");
		$seals++;
		$checkpoints++ if $signed;
	}
	note_is_signed($node->safe_psql('postgres', $seal), $verifier, $point);
	is($node->safe_psql('postgres', $counts), join('|', ++$seals, ++$checkpoints, 0), "$point: all is there again");
}
log_is_sound($node, 'after six crashes');

# With the worker, and a whole server that goes down again and again.
set_system($node, 'govledger.databases' => '*', 'govledger.seal_interval' => '10ms');
for my $point ('seal-after-commit', 'sign-after-state', 'sign-after-commit')
{
	$node->safe_psql('postgres', "ALTER SYSTEM SET govledger.fault = '$point'");
	my $offset = -s $node->logfile;
	$node->reload;
	$node->psql('postgres', "SELECT govledger.note('x')");
	my $crashed = 0;
	for (1 .. 300)
	{
		last if $crashed = slurp_file($node->logfile, $offset) =~ /terminated by signal 9/;
		select undef, undef, undef, 0.1;
	}
	ok($crashed, "worker, $point: crash");
	spill($node->data_dir . '/postgresql.auto.conf',
		slurp_file($node->data_dir . '/postgresql.auto.conf') =~ s/^govledger\.fault.*\n//mr);
	$node->stop('immediate');
	$node->start;
	$node->safe_psql('postgres', "SELECT govledger.note('y')");
	is($node->safe_psql('postgres', q{SELECT govledger.wait_sealed('20 s')}), 't', "worker, $point: goes on");
}
log_is_sound($node, 'after all crashes');
done_testing();
