# Work that is cut short: timeouts, cancels and terminations in pre-commit, in a flush and in a seal, an immediate shutdown
# during all of them, no memory, recovery conflicts on a standby, and a clock that is set back.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use sealtest;
use LedgerTest;

# A clock that can be set for one server alone: seconds in a file are added to the time of day.
my $dir = PostgreSQL::Test::Utils::tempdir();
my $clock = "$dir/clock";
spill("$dir/clock.c", qq{#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	static int (*real)(struct timeval *, void *);
	char text[32] = "0";
	int fd = open("$clock", O_RDONLY);
	if (real == NULL) real = (int (*)(struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday");
	if (fd >= 0) { if (read(fd, text, sizeof(text) - 1) < 0) text[0] = '0'; close(fd); }
	int result = real(now, zone);
	now->tv_sec += atol(text);
	return result;
}
});
system_or_bail('cc', '-shared', '-fPIC', '-o', "$dir/clock.so", "$dir/clock.c", '-ldl');

sub set_clock
{
	my ($seconds) = @_;
	spill("$clock.new", "$seconds\n");
	return rename "$clock.new", $clock || die;
}

set_clock(0);
my $keys = key_directory();
my $node = PostgreSQL::Test::Cluster->new('work');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf',
	"fsync = off\nlog_statement = none\nlog_line_prefix = ''\nshared_buffers = 16MB\nmax_connections = 60\ngovledger.seal_interval = 50ms\ngovledger.alarm_after = 2s\nmax_standby_streaming_delay = 10ms\n");
start($node);
$node->safe_psql('postgres', "CREATE EXTENSION govledger; SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', q{
	CREATE TABLE t (id bigserial PRIMARY KEY, v text, secret text);
	SELECT govledger.protect('t', personal => '{secret}');
	INSERT INTO t (v) VALUES ('before');});
is(sealed(), 't', 'well before');

# A lock on the log makes every commit, flush and seal wait where it writes.
my $large = q{INSERT INTO t (v, secret) SELECT repeat('large', 100), 's' FROM generate_series(1, 3000)};
my $small = q{INSERT INTO t (v, secret) VALUES ('small', 's')};
my $count = count();
my $lock = $node->background_psql('postgres');
$lock->query_safe('BEGIN; LOCK govledger.entry, govledger.record_chunk, govledger.personal, govledger.leaf IN SHARE MODE');
my %ways = (
	'a timeout' => [ "SET statement_timeout = '200ms'", qr/canceling statement due to statement timeout/ ],
	'a lock timeout' => [ "SET lock_timeout = '200ms'", qr/canceling statement due to lock timeout/ ],
	'a cancel' => [ "SET application_name = 'cancel'", qr/canceling statement due to user request/ ],
	'a termination' => [ "SET application_name = 'terminate'", qr/terminating connection due to administrator command/ ]);
my %places = (
	'pre-commit' => "BEGIN; $small; COMMIT",
	'pre-commit of an implicit transaction' => $small,
	'PREPARE' => "BEGIN; $small; PREPARE TRANSACTION 'p'",
	'a flush' => "BEGIN; $large; COMMIT",
	'a flush in a savepoint' => "BEGIN; $small; SAVEPOINT a; $large; RELEASE a; COMMIT");
my @jobs;
for my $way (sort keys %ways)
{
	for my $place (sort keys %places)
	{
		# PostgreSQL turns statement_timeout off before it commits
		next if $way eq 'a timeout' && $place !~ /flush/;
		my $job = { name => "$way in $place", pattern => $ways{$way}[1], err => '', out => '' };
		$job->{handle} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', $_) } $ways{$way}[0], split /; /, $places{$place} ], '>', \$job->{out}, '2>', \$job->{err});
		push @jobs, $job;
	}
}
ok($node->poll_query_until('postgres', q{SELECT count(*) = 10 FROM pg_stat_activity WHERE application_name IN ('cancel', 'terminate') AND wait_event_type = 'Lock'}), 'all wait');
$node->safe_psql('postgres', "SELECT pg_${_}_backend(pid) FROM pg_stat_activity WHERE application_name = '$_'") for 'terminate';
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancel'});
for my $job (@jobs)
{
	$job->{handle}->finish;
	like($job->{err}, $job->{pattern}, "$job->{name}: fails, and says why");
}
is(count(), $count, 'nothing of it is there');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 0, 'nothing is prepared');
$lock->query_safe('COMMIT');
is($node->safe_psql('postgres', "$small; $large; SELECT govledger.wait_sealed('40 s')"), 't', 'let go: others commit and are sealed');
is_clean($node, 'cancelled writers');

# Seals: a cancelled worker tries again; a cancelled seal() takes its process with it.
$lock->query_safe('BEGIN; LOCK govledger.leaf IN SHARE MODE');
$node->safe_psql('postgres', $small);
my $waits = sub { my ($who) = @_; return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = '$who' AND wait_event_type = 'Lock'") };
ok($waits->('govledger sealer'), 'the sealer waits');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'govledger sealer'});
wait_for_log_line($node, qr/WARNING:  govledger could not seal: canceling statement due to user request/, 'cancelled: it says so');
my $seal = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SET statement_timeout = '500ms'", '-c', 'SELECT govledger.seal()' ],
	'>', \my $out, '2>', \my $err);
ok($waits->('govledger one-shot sealer'), 'the process of seal() waits');
$seal->finish;
like($err, qr/canceling statement due to statement timeout/, 'seal(): a timeout ends it');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'govledger one-shot sealer'}), 'and its process');

# Immediate shutdown while a seal, a flush and pre-commits are under way.
$node->safe_psql('postgres', $small);
$count = count();
$lock->query_safe('LOCK govledger.entry IN SHARE MODE');
ok($waits->('govledger sealer'), 'the sealer waits again');
@jobs = map { IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } split /; / ], '>', '/dev/null', '2>', '/dev/null') }
  ($small, "BEGIN; $small; PREPARE TRANSACTION 'p'", q{INSERT INTO t (v, secret) SELECT repeat('large', 100), 's' FROM generate_series(1, 200000)});
ok($node->poll_query_until('postgres', q{SELECT count(*) >= 2 AND EXISTS (SELECT FROM pg_locks WHERE relation = 'govledger.record_chunk'::regclass AND mode = 'RowExclusiveLock')
	FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND backend_type = 'client backend'}), 'a flush is under way, commits wait');
$node->stop('immediate');
$_->finish for @jobs;
eval { $lock->quit };
start($node);
is(count(), $count, 'immediate shutdown: nothing half done');
is(sealed(), 't', 'sealing and signing go on');
ok(note_checkpoints($node), 'one tree of each size was signed');
is_clean($node, 'immediate shutdown');

# No memory.
$node->stop;
start($node, 'ulimit -v 600000; ');
$count = count();
for my $place ("INSERT INTO t (v) VALUES (repeat('x', 200000000))", "INSERT INTO t (v) VALUES (repeat('x', 60000000)); UPDATE t SET v = v || 'y', secret = v WHERE length(v) > 1000000")
{
	(undef, undef, $err) = $node->psql('postgres', "BEGIN; SAVEPOINT a; $place; ROLLBACK TO a; $small; COMMIT", on_error_stop => 0);
	like($err, qr/ERROR:  (out of memory|invalid memory alloc)/, 'no memory: an error') or diag($err);
}
is(count(), $count + 2, 'what follows the savepoint is there, and nothing else');
is(sealed(), 't', 'sealed');
$node->stop;
start($node);
verified('no memory');

# A standby that cancels verify for its recovery.
$node->safe_psql('postgres', q{INSERT INTO t (v) SELECT 'many' FROM generate_series(1, 20000)});
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $verify = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres'), (('-c', "SELECT 'finding', * FROM govledger.verify() WHERE NOT ok") x 40) ], '>', \$out, '2>', \$err);
my $end = time + 20;
while ($verify->pumpable && time < $end)
{
	$node->safe_psql('postgres', 'BEGIN; LOCK t IN ACCESS EXCLUSIVE MODE; COMMIT; VACUUM (FREEZE) t');
	$verify->pump_nb;
	last if $err =~ /conflict with recovery/;
}
$verify->kill_kill if $err =~ /conflict with recovery/;
$verify->finish;
like($err, qr/canceling statement due to conflict with recovery/, 'a conflict cancels verify on a standby');
unlike($out, qr/finding/, 'which finds nothing wrong before');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'nor after');
$standby->stop;

# The clock goes forward by an hour while the key is away, and back again: no pause lasts an hour, times of seals never go back.
set_clock(3600);
rename "$keys/key", "$keys/away" or die;
$node->safe_psql('postgres', $small);
ok($node->poll_query_until('postgres', q{SELECT last_error ~ 'could not sign' AND unsealed_entries = 0 AND last_sealed_at > now() - interval '1 minute' FROM govledger.status}), 'clock ahead: sealed, not signed');
set_clock(0);
rename "$keys/away", "$keys/key" or die;
my $from = -s $node->logfile;
my $began = time;
is(sealed(), 't', 'clock set back: sealed and signed');
cmp_ok(time - $began, '<', 30, 'within seconds');
ok($node->poll_query_until('postgres', q{SELECT last_error ~ '^the clock of this server was set back: seals bear the time of the last one' AND oldest_unsealed_age IS NULL FROM govledger.status}),
	'clock set back: status says so');
wait_for_log_line($node, qr/WARNING:  govledger: the clock of this server was set back.*\nHINT:  Check the time of this server/, 'and the log, with a hint');
sealed() for 1 .. 3;
is(scalar(() = substr(slurp_file($node->logfile), $from) =~ /clock of this server was set back/g), 1, 'once');
is($node->safe_psql('postgres', q{SELECT bool_and(sealed_at >= before) FROM (SELECT sealed_at, lag(sealed_at) OVER (ORDER BY height) AS before FROM govledger.seal) s}), 't',
	'times of seals never go back');
verified('clock set back');

# An alarm in time, although what waits comes from the future.
set_clock(7200);
set_system($node, 'govledger.databases' => 'nowhere');
$node->poll_query_until('postgres', 'SELECT NOT worker_running FROM govledger.status') or die 'sealer did not leave';
$node->safe_psql('postgres', "$small; ALTER DATABASE postgres SET govledger.origin = 'elsewhere'");
set_clock(0);
is($node->safe_psql('postgres', 'SELECT oldest_unsealed_age FROM govledger.status'), '00:00:00', 'no age below zero');
set_system($node, 'govledger.databases' => undef);
wait_for_log_line($node, qr/WARNING:  govledger: entries are waiting to be sealed since/, 'the alarm comes in time');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET govledger.origin');
set_clock(7300);
is(sealed(), 't', 'clock right again: sealed');
ok($node->poll_query_until('postgres', 'SELECT last_error IS NULL FROM govledger.status'), 'and all is well');
verified('clock right again');

# The next two billion transactions: rows frozen, numbers beyond 32 bits.
$node->safe_psql('postgres', "$small; VACUUM (FREEZE) govledger.entry");
$node->stop;
command_ok([ 'pg_resetwal', '-e', 1, $node->data_dir ], 'transaction ids go beyond 32 bits');
start($node);
is(sealed(), 't', 'beyond 32 bits: sealed');
is($node->safe_psql('postgres', q{SELECT max(transaction_id) > '4294967296' FROM govledger.entry}), 't', 'beyond 32 bits: entries say so');
verified('beyond 32 bits');
is_clean($node, 'after all');
log_is_sound($node, 'after all');
ok(note_checkpoints($node), 'one tree of each size was signed');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash');
done_testing();

sub start
{
	my ($of, $before) = @_;
	local $ENV{LD_PRELOAD} = "$dir/clock.so";
	system_or_bail('sh', '-c', ($before // '') . q{exec pg_ctl -s -w -D "$1" -l "$2" -o --cluster-name="$3" start}, 'sh', $of->data_dir, $of->logfile, $of->name);
	$of->_update_pid(1);
	return;
}

sub count
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM t');
}

sub verified
{
	my ($test) = @_;
	return is($node->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', "$test: verify finds nothing");
}

sub sealed
{
	return $node->safe_psql('postgres', "$small; SELECT govledger.wait_sealed('40 s')");
}
