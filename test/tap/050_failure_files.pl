# Keys and files that fail under a running sealer, each in a database of its own: commits and seals go on, status and one line
# in the log say what is wrong and what to do, an alarm follows, and all is mended when the cause is gone.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;
use LedgerTest;

my $node = new_ledger_node('files', worker => 1,
	conf => "max_worker_processes = 24\ngovledger.alarm_after = 1s\nlog_line_prefix = ''\nlog_statement = none\n");

# How each fails and is mended; $_[0] is the directory of its files, $_[1] its database.
my %failure = (
	removed => {
		break => sub { rename "$_[0]/key", "$_[0]/away" or die },
		mend => sub { rename "$_[0]/away", "$_[0]/key" or die },
		what => 'sign', error => qr/could not open signing key file ".*": No such file or directory/, hint => qr/Make one with SELECT govledger.generate_key/,
		key => qr/\Aunreadable: /
	},
	unreadable => {
		break => sub { chmod 0, "$_[0]/key" or die },
		mend => sub { chmod 0600, "$_[0]/key" or die },
		what => 'sign', error => qr/could not open signing key file ".*": Permission denied/, hint => qr/must be able to read it/,
		key => qr/\Aunreadable: /
	},
	open => {
		break => sub { chmod 0640, "$_[0]/key" or die },
		mend => sub { chmod 0600, "$_[0]/key" or die },
		what => 'sign', error => qr/signing key file ".*" has group or world access/, hint => qr/Run chmod 0600/, key => qr/\Aunreadable: /
	},
	wrong => {
		break => sub { rename "$_[0]/key", "$_[0]/away"; $node->safe_psql($_[1], "SELECT govledger.generate_key('$_[0]/key')") },
		mend => sub { rename "$_[0]/away", "$_[0]/key" or die },
		what => 'sign', error => qr/govledger.signing_key names another key than the registered one/, hint => qr/govledger.rotate_key/,
		key => qr/\Awrong: /
	},
	state_directory => {
		break => sub { chmod 0500, $_[0] or die },
		mend => sub { chmod 0700, $_[0] or die },
		what => 'sign', error => qr/could not write signer state file ".*": Permission denied/, hint => qr/must be able to create files in that directory/,
		key => qr/\Aregistered\z/
	},
	state_garbled => {
		break => sub { rename "$_[0]/key.state", "$_[0]/away" or die; spill("$_[0]/key.state", 'nonsense') },
		mend => sub { rename "$_[0]/away", "$_[0]/key.state" or die },
		what => 'sign', error => qr/signer state file ".*" cannot be understood/, hint => qr/Restore the file as it was/, key => qr/\Aregistered\z/
	},
	checkpoints => {
		break => sub { chmod 0500, "$_[0]/checkpoints" or die },
		mend => sub { chmod 0700, "$_[0]/checkpoints" or die },
		what => 'write the checkpoint directory', error => qr/could not write checkpoint file ".*": Permission denied/,
		hint => qr/must be able to create files in that directory/, key => qr/\Aregistered\z/, signed => 1
	});
$failure{none} = {
	break => sub { set_key($_[1], '') },
	mend => sub { set_key($_[1], "$_[0]/key") },
	log => qr/LOG:  govledger: no signing key is configured, so seals are not signed\nHINT:  Make a key/, key => qr/\Anone configured\z/
};
delete @failure{qw(unreadable state_directory checkpoints)} if $> == 0;	# nothing is unreadable or unwritable to root
my @names = sort keys %failure;

for my $name (@names)
{
	my $dir = $failure{$name}{dir} = key_directory();
	mkdir "$dir/checkpoints", 0700;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->safe_psql('postgres', "ALTER DATABASE $name SET govledger.origin = 'failure.example/$name'");
	$node->safe_psql($name, "CREATE EXTENSION govledger; SELECT govledger.generate_key('$dir/key')");
	set_key($name, "$dir/key");
	$node->safe_psql('postgres', "ALTER DATABASE $name SET govledger.checkpoint_directory = '$dir/checkpoints'");
	$node->safe_psql($name, q{CREATE TABLE t (id serial PRIMARY KEY, v text); SELECT govledger.protect('t'); INSERT INTO t (v) VALUES ('before')});
}
for my $name (@names)
{
	is($node->safe_psql($name, "SELECT govledger.wait_sealed('30 s')"), 't', "$name: well before");
	poll($name, "SELECT key_state = 'registered' AND last_error IS NULL AND unsigned_blocks = 0 FROM govledger.status", "$name: all is signed");
}

my ($from, $began) = (-s $node->logfile, time);
$failure{$_}{break}->($failure{$_}{dir}, $_) for @names;
commit($_, 3) for @names;
for my $name (@names)
{
	my $case = $failure{$name};
	poll($name, 'SELECT unsealed_entries = 0 FROM govledger.status', "$name: commits and seals go on");
	poll($name, q{SELECT (last_error IS NOT NULL OR key_state = 'none configured') AND unsigned_blocks } . ($case->{signed} ? '= 0' : '> 0') . ' FROM govledger.status',
		"$name: signatures as they can be");
	my ($error, $key) = split /\|/, $node->safe_psql($name, 'SELECT last_error, key_state FROM govledger.status');
	like($key, $case->{key}, "$name: state of the key");
	like($error, qr/\Acould not $case->{what}: $case->{error}\z/, "$name: status says why") if $case->{error};
}
# some seconds of it, with several tries each
for (1 .. 3)
{
	commit($_, 1) for @names;
	sleep 1;
}
my %said = said($from);
my $most = time - $began + 1;
for my $name (@names)
{
	my $case = $failure{$name};
	my @alarms = grep { /seals are waiting to be signed since .*\nHINT:  SELECT \* FROM govledger.status/ } @{ $said{$name} };
	my @others = grep { !/are waiting to be/ } @{ $said{$name} };
	is(scalar @others, 1, "$name: said once") or diag(join "\n", @others);
	like($others[0], $case->{log} // qr/\AWARNING:  govledger could not $case->{what}: $case->{error}\n(DETAIL: .*\n)?HINT:  .*$case->{hint}/,
		"$name: with a hint");
	ok($case->{signed} ? @alarms == 0 : @alarms >= 1 && @alarms <= $most, "$name: " . @alarms . ' alarms');
}
unlike(substr(slurp_file($node->logfile), $from), qr/entries are waiting to be sealed/, 'nothing waits for a seal');

$from = -s $node->logfile;
$failure{$_}{mend}->($failure{$_}{dir}, $_) for @names;
for my $name (@names)
{
	my $case = $failure{$name};
	poll($name, "SELECT key_state = 'registered' AND last_error IS NULL AND unsigned_blocks = 0 FROM govledger.status", "$name: mended");
	is($node->safe_psql($name, 'SELECT count(*) FROM t'), 7, "$name: nothing was lost");
	is_clean($node, $name, database => $name);
	is((slurp_file("$case->{dir}/checkpoints/latest") =~ /\n(\d+)\n/)[0], $node->safe_psql($name, 'SELECT max(tree_size) FROM govledger.checkpoint'),
		"$name: the checkpoint directory is complete");
	wait_for_log_line($node, qr/LOG:  govledger could $case->{what} again\nCONTEXT:  sealer of database "$name"/, "$name: the log says that it is over") if $case->{what};
}
$node->stop;
done_testing();

# What each database's sealer said since that place in the log.
sub said
{
	my ($from) = @_;
	my $log = substr slurp_file($node->logfile), $from;
	my %said;

	while ($log =~ /^((?:WARNING|LOG):  govledger.*\n(?:(?:DETAIL|HINT):  .*\n)*)CONTEXT:  sealer of database "(\w+)"\n/mg)
	{
		push @{ $said{$2} }, $1;
	}
	return %said;
}

sub set_key
{
	my ($database, $key) = @_;
	return $node->safe_psql('postgres', "ALTER DATABASE $database SET govledger.signing_key = '$key'");
}

sub commit
{
	my ($database, $times) = @_;
	return $node->safe_psql($database, join ';', ("INSERT INTO t (v) VALUES ('x')") x $times);
}

sub poll
{
	my ($database, $condition, $test) = @_;
	return ok($node->poll_query_until($database, $condition), $test) || diag($node->safe_psql($database, 'SELECT * FROM govledger.status'));
}
