# A node with a ledger for crash and property tests, and the checks that follow every piece of work.
package LedgerTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(ledger_node is_clean set_fault crash_and_recover recover wait_until_down note_checkpoints command_output);

my %checkpoints;				# what was ever signed: "node size" to "root signature"

# A started node. Options: worker (one that seals), key (a signing key), fault (the build with fault points), conf.
sub ledger_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $options{init} || {} });
	$node->append_conf('postgresql.conf', slurp_file($ENV{GOVLEDGER_FAULT_CONF})) if $options{fault};
	$node->append_conf('postgresql.conf', "fsync = off\nlog_statement = none\ngovledger.seal_interval = 50ms\ninclude_if_exists = 'fault.conf'\n");
	$node->append_conf('postgresql.conf', "govledger.databases = 'nowhere'\n") unless $options{worker};
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION govledger');
	if ($options{key})
	{
		$node->{ledger_keys} = PostgreSQL::Test::Utils::tempdir('keys');
		$node->safe_psql('postgres', "SELECT govledger.generate_key('$node->{ledger_keys}/key')");
		$node->append_conf('postgresql.conf', "govledger.signing_key = '$node->{ledger_keys}/key'\n");
		$node->reload;
	}
	return $node;
}

# Status and output of a program.
sub command_output
{
	my (@command) = @_;
	my $output = '';
	my $ok = IPC::Run::run(\@command, '>', \$output, '2>&1');
	return ($ok, $output);
}

# Log and tables agree by a model that knows nothing of the server, and verify finds nothing.
sub is_clean
{
	my ($node, $test, %options) = @_;
	my $database = $options{database} // 'postgres';
	my ($ok, $output) = command_output('python3', 'test/soak/replay.py', $node->connstr($database));

	ok($ok, "$test: the log replayed gives the tables") or diag($output);
	return is($node->safe_psql($database, 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', "$test: verify finds nothing");
}

# Every process of the node dies at this point of the program; none at ''.
sub set_fault
{
	my ($node, $point) = @_;
	my $file = $node->data_dir . '/fault.conf';

	open my $out, '>', $file or die "$file: $!\n";
	print $out "govledger.fault = '$point'\n" if $point ne '';
	close $out or die "$file: $!\n";
	return;
}

# A backend that dies takes the whole server with it (restart_after_crash is off in these tests).
sub wait_until_down
{
	my ($node) = @_;
	my $file = $node->data_dir . '/postmaster.pid';

	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		if (!-e $file)
		{
			$node->_update_pid(0);
			return 1;
		}
		select undef, undef, undef, 0.1;
	}
	die "the server did not go down\n";
}

sub recover
{
	my ($node) = @_;

	set_fault($node, '');
	$node->start;
	return;
}

# Run the statements in a session that dies at the fault point.
sub crash_and_recover
{
	my ($node, $point, $sql, $test) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SET govledger.fault = '$point';\n$sql");

	isnt($status, 0, "$test: the session dies");
	like($err, qr/server closed the connection|connection to server was lost/, "$test: by its death") or return;
	wait_until_down($node);
	recover($node);
	return;
}

# Remember what was signed, in the table and in the server log. False if two different trees of one size were.
sub note_checkpoints
{
	my ($node, $database) = @_;
	my $consistent = 1;
	my @seen = slurp_file($node->logfile) =~ /govledger checkpoint (\S+ \d+ \S+ \S+)/g;

	for my $note (split /\|/, $node->safe_psql($database // 'postgres',
			q{SELECT string_agg(regexp_replace(note, E'^(.*)\n(.*)\n(.*)\n\n\\\\S+ \\\\S+ (\\\\S+)\n', '\1 \2 \3 \4'), '|') FROM govledger.checkpoint}))
	{
		push @seen, $note;
	}
	for my $line (@seen)
	{
		my ($origin, $size, $tree) = $line =~ /^(\S+) (\d+) (.*)$/ or die "odd checkpoint: $line\n";
		my $name = join ' ', $node->name, $origin, $size;
		$checkpoints{$name} //= $tree;
		next if $checkpoints{$name} eq $tree;
		diag("size $size was signed as $checkpoints{$name} and as $tree");
		$consistent = 0;
	}
	return $consistent;
}

1;
