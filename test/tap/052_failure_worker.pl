# Sealers that are killed, held up or find no slot, databases that go away under them, a library that is not preloaded, replaced
# or missing: writers go on, or fail with the right error where nothing could be recorded.
use strict;
use warnings;
use lib 'test/tap';
use File::Copy ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;
use LedgerTest;

# A stage of its own, whose library can be replaced.
my $stage = PostgreSQL::Test::Utils::tempdir('stage');
system_or_bail('cp', '-r', "$ENV{GOVLEDGER_STAGE}/.", $stage);
my ($library) = map { chomp; $_ } `find $stage -name 'govledger.so'`;
my $place = slurp_file($ENV{TEMP_CONFIG}) =~ s/\Q$ENV{GOVLEDGER_STAGE}\E/$stage/gr;

my $node = PostgreSQL::Test::Cluster->new('worker');
my $keys = key_directory();
$node->init;
$node->append_conf('postgresql.conf', $place . "fsync = off\nlog_statement = none\nlog_line_prefix = ''\nrestart_after_crash = on\nmax_worker_processes = 3\n"
	  . "govledger.seal_interval = 50ms\ngovledger.alarm_after = 1s\nmax_parallel_workers_per_gather = 0\n");
$node->start;
$node->safe_psql('postgres', "CREATE EXTENSION govledger; SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
# without histories, whose process would want a slot too: that is 036
my $protect = q{CREATE TABLE t (id bigserial PRIMARY KEY, v text); SELECT govledger.protect('t', history => false); INSERT INTO t (v) VALUES ('first')};
$node->safe_psql('postgres', $protect);
sealed('well before');

# SIGTERM, pg_terminate_backend and SIGKILL in a loop while writers run.
my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
spill($script, "INSERT INTO t (v) VALUES ('load');\n");
my $sealer = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'govledger sealer' AND datname = 'postgres'};
my $load = load(4);
for my $round (1 .. 8)
{
	$node->psql('postgres', "SELECT govledger.wait_sealed('10 s')");
	my $pid = $node->safe_psql('postgres', $sealer);
	next if $pid eq '';
	$round % 2 ? kill('TERM', $pid) : $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	select undef, undef, undef, rand 0.2;
}
ok($load->{handle}->finish, 'terminated in a loop: no writer notices') or diag($load->{err});
sealed('terminated in a loop');
is_clean($node, 'terminated in a loop');
for my $round (1 .. 2)
{
	$load = load(2);
	select undef, undef, undef, rand 0.3;
	kill 'KILL', $node->safe_psql('postgres', $sealer);
	$load->{handle}->finish;
	like($load->{err}, qr/server closed the connection|terminating connection|connection to server/, "SIGKILL $round: PostgreSQL restarts for all");
	sealed("SIGKILL $round");
}
ok(note_checkpoints($node), 'one tree of each size was signed');
is_clean($node, 'SIGKILL');

# Held up by a lock: the launcher says so, for the sealer cannot.
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK govledger.leaf IN SHARE MODE');
$node->safe_psql('postgres', q{INSERT INTO t (v) VALUES ('while held up')});
ok($node->poll_query_until('postgres', q{SELECT last_error ~ '^the sealer \(PID \d+\) has tried to seal for [1-9]\d* s; see wait_event' AND unsealed_entries = 1 FROM govledger.status}),
	'held up: status says so');
wait_for_log_line($node, qr/WARNING:  govledger: the sealer of database \d+ \(PID \d+\) has tried to seal for \d+ s\nHINT:  .*pg_locks/, 'and the log');
$holder->query_safe('COMMIT');
$holder->quit;
sealed('let go');
is($node->safe_psql('postgres', 'SELECT last_error IS NULL FROM govledger.status'), 't', 'let go: all is well');

# No background worker slot for a second database: PostgreSQL and the launcher take two of three, the first database's sealer the third.
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('postgres', q{ALTER DATABASE second SET govledger.origin = 'second.example'});
$node->safe_psql('second', "CREATE EXTENSION govledger; $protect");
wait_for_log_line($node, qr/WARNING:  govledger could not start a sealer: out of background worker slots\nDETAIL.*\nHINT:  .*max_worker_processes/, 'no slot: the log says so');
is($node->safe_psql('second', 'SELECT worker_running, unsealed_entries, last_error FROM govledger.status'),
	'f|2|no sealer runs: out of background worker slots; increase max_worker_processes', 'no slot: status says so');
fails_like($node, 'SELECT govledger.seal()', qr/out of background worker slots\nHINT:.*max_worker_processes/, 'no slot: seal()', database => 'second');
$node->safe_psql('second', q{INSERT INTO t (v) VALUES ('goes on')});
sleep 2;
my $warnings = () = slurp_file($node->logfile) =~ /could not start a sealer/g;
ok($warnings >= 2 && $warnings <= 8, "no slot: said $warnings times, once a second (govledger.alarm_after)");
set_system($node, 'govledger.databases' => 'second');
is($node->safe_psql('second', "SELECT govledger.wait_sealed('30 s')"), 't', 'a slot comes free: sealed');
wait_for_log_line($node, qr/LOG:  govledger found a background worker slot again/, 'the log says so');
ok($node->poll_query_until('second', 'SELECT last_error IS NULL AND worker_running FROM govledger.status'), 'and status');
is_clean($node, 'a slot came free', database => 'second');
$node->safe_psql('postgres', q{INSERT INTO t (v) VALUES ('not in the list')});
like($node->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), qr/no sealer runs: govledger.databases does not name this database/, 'not in the list: status says so');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
set_system($node, 'govledger.databases' => undef);
$node->restart;
sealed('with more slots');

# Databases that go away while their sealer works.
for my $round (1 .. 3)
{
	$node->safe_psql('postgres', "CREATE DATABASE brief$round");
	$node->safe_psql('postgres', "ALTER DATABASE brief$round SET govledger.origin = 'brief.example/$round'");
	$node->safe_psql("brief$round", "CREATE EXTENSION govledger; $protect;" . join ';', (q{INSERT INTO t (v) VALUES ('x')}) x 200);
	$node->safe_psql('postgres', "CREATE DATABASE copy$round TEMPLATE brief$round") if $round == 1;
	$node->safe_psql('postgres', "ALTER DATABASE brief$round RENAME TO late$round") if $round == 2;
	my $name = $round == 2 ? "late$round" : "brief$round";
	is($node->safe_psql($name, "INSERT INTO t (v) VALUES ('y'); SELECT govledger.wait_sealed('30 s')"), 't', "round $round: sealed before") if $round < 3;
	is_clean($node, "round $round", database => $name) if $round == 2;
	$node->safe_psql($name, join ';', (q{INSERT INTO t (v) VALUES ('z')}) x 100);
	$node->safe_psql('postgres', "DROP DATABASE $name");
	pass("round $round: dropped");
}
$node->safe_psql('postgres', 'DROP DATABASE copy1 WITH (FORCE)');
sealed('others go on');

# The library is replaced under a preloaded server: all go on with the old one until a restart.
my $old = session($node);
replace_library();
my $new = session($node);
is(mapped($old) . mapped($new), 'oldold', 'preloaded: old and new sessions go on with the old library');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'govledger sealer'");
$new->query_safe(q{INSERT INTO t (v) VALUES ('new')});
$old->query_safe(q{INSERT INTO t (v) VALUES ('old')});
sealed('preloaded, replaced');
is_missing('preloaded');
$_->quit for $old, $new;

# Not preloaded: capture works by its trigger, seal() seals, hints say what is missing.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
$old = session($node);
$old->query_safe(q{INSERT INTO t (v) VALUES ('by the trigger')});
is($node->safe_psql('postgres', 'SELECT unsealed_entries, worker_running, last_error FROM govledger.status'),
	'2|f|no sealer runs: govledger is not in shared_preload_libraries; SELECT govledger.seal() seals', 'not preloaded: status says so');
fails_like($node, 'SELECT govledger.wait_sealed()', qr/no sealer.*\nHINT:  Add govledger to shared_preload_libraries and restart, or run SELECT govledger.seal/, 'not preloaded: wait_sealed()');
like($node->safe_psql('postgres', 'SELECT govledger.seal()'), qr/\n\n/, 'not preloaded: seal() seals and signs');
is($node->safe_psql('postgres', 'SELECT unsealed_entries, unsigned_blocks, last_error FROM govledger.status'), '0|0|', 'not preloaded: well');
is_clean($node, 'not preloaded');

# Replaced: each session keeps what it loaded. Missing: who has it goes on, who has not cannot write, and says why.
replace_library();
$new = session($node);
is(mapped($old) . mapped($new), 'oldnew', 'not preloaded: a new session loads the new library');
$_->query_safe(q{INSERT INTO t (v) VALUES ('both')}) for $old, $new;
is_missing('not preloaded');
$_->quit for $old, $new;
like($node->safe_psql('postgres', 'SELECT govledger.seal()'), qr/\n\n/, 'the library is back');
is_clean($node, 'the library is back');
log_is_sound($node, 'after all');
ok(note_checkpoints($node), 'and one tree of each size was signed');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11|signal 6/, 'no crash but of those killed');
done_testing();

sub sealed
{
	my ($test) = @_;
	my $command = "INSERT INTO t (v) VALUES ('sealed'); SELECT govledger.wait_sealed('40 s')";
	$node->poll_query_until('postgres', 'SELECT true') or die 'no server';
	return is($node->safe_psql('postgres', $command), 't', "$test: committed, sealed and signed");
}

sub load
{
	my ($seconds) = @_;
	my $result = { out => '', err => '' };
	$result->{handle} = IPC::Run::start(
		[ 'pgbench', '-n', '-f', $script, '-c', 4, '-j', 1, '-T', $seconds, '-R', 200, '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$result->{out}, '2>', \$result->{err});
	return $result;
}

# One that has loaded the library.
sub session
{
	my ($of) = @_;
	my $session = $of->background_psql('postgres');
	$session->query_safe(q{INSERT INTO t (v) VALUES ('session')});
	return $session;
}

# A new file in the place of the old one, as a package manager puts it there.
sub replace_library
{
	File::Copy::copy($library, "$library.new") or die;
	chmod 0755, "$library.new";
	return rename "$library.new", $library || die;
}

# Who has looked its functions up goes on; who has not cannot write, and nothing is half done.
sub is_missing
{
	my ($test) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM t');

	rename $library, "$library.away" or die;
	fails_like($node, q{INSERT INTO t (v) VALUES ('never')}, qr/ERROR:  could not access file "\$libdir\/govledger": No such file or directory/,
		"$test, library missing: a new session cannot write");
	$_->query_safe(q{INSERT INTO t (v) VALUES ('still')}) for $old, $new;
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), $before + 2, "$test, library missing: the others can");
	return rename "$library.away", $library || die;
}

sub mapped
{
	my ($session) = @_;
	my ($pid) = $session->query_safe('SELECT pg_backend_pid()') =~ /(\d+)/;
	return slurp_file("/proc/$pid/maps") =~ /govledger\.so \(deleted\)/ ? 'old' : 'new';
}
