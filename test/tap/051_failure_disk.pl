# Full disks, for real: the server runs in a mount namespace of its own with small tmpfs file systems, which needs no privileges
# where user namespaces are allowed (elsewhere this is skipped). What cannot be logged is not committed, wholly; what cannot be
# sealed waits, and so does what cannot be signed.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;
use LedgerTest;

my $disk = PostgreSQL::Test::Utils::tempdir('disk');
my $keys = "$disk/signer/keys";
mkdir "$disk/$_" for qw(log seals signer wal);

# A process that holds the namespace; commands enter it by its id.
my ($go, $said) = ('', '');
my $mount = join ' && ', (map {"mount -t tmpfs -o size=$_->[1] tmpfs $disk/$_->[0]"} [ log => '16m' ], [ seals => '1m' ], [ signer => '64k' ], [ wal => '24m' ]);
my @unprivileged = qw(setpriv --ambient-caps=-all --inh-caps=-all --);
my $holder = IPC::Run::start(
	[ qw(unshare -U -m --map-current-user --keep-caps sh -c), "$mount && mkdir $disk/log/space $disk/seals/space $keys && echo mounted && exec @unprivileged cat" ],
	'<', \$go, '>', \$said, '2>', \my $why);
eval { $holder->pump until $said =~ /mounted/ || !$holder->pumpable };
plan skip_all => 'no mount namespaces for ordinary users here: ' . ($why // '') unless $said =~ /mounted/;
my @inside = (qw(nsenter -U -m --preserve-credentials -t), $holder->{KIDS}[0]{PID}, '--');

my $node = PostgreSQL::Test::Cluster->new('disk');
$node->init(extra => ['--wal-segsize=1']);
$node->append_conf('postgresql.conf',
	"fsync = off\nautovacuum = off\ngovledger.seal_interval = 50ms\ngovledger.alarm_after = 1s\nlog_statement = none\nmin_wal_size = 4MB\nmax_wal_size = 8MB\nrestart_after_crash = off\n");
$node->append_conf('postgresql.conf', "log_line_prefix = ''\n");
system_or_bail(@inside, 'sh', '-c', "mv '" . $node->data_dir . "/pg_wal' $disk/wal/pg_wal && ln -s $disk/wal/pg_wal '" . $node->data_dir . "/pg_wal'");
start_inside();
$node->safe_psql('postgres', 'CREATE EXTENSION govledger');
$node->safe_psql('postgres', "CREATE TABLESPACE small_log LOCATION '$disk/log/space'");
$node->safe_psql('postgres', "CREATE TABLESPACE small_seals LOCATION '$disk/seals/space'");
$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
$node->safe_psql('postgres', "ALTER TABLE govledger.$_ SET TABLESPACE small_log") for qw(entry record_chunk personal);
$node->safe_psql('postgres', "ALTER TABLE govledger.$_ SET TABLESPACE small_seals") for qw(leaf tile seal);
$node->safe_psql('postgres', q{
	CREATE TABLE t (id serial PRIMARY KEY, v text, secret text);
	SELECT govledger.protect('t', personal => '{secret}');
	INSERT INTO t (v) SELECT 'before' FROM generate_series(1, 10);});
set_system($node, 'govledger.signing_key' => "$keys/key");
is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('30 s')"), 't', 'well before');

# The log's disk: a flush, a flush in a savepoint, a commit, a PREPARE; each fails wholly, and says why.
fill('log');
my $full = qr/ERROR:  could not (extend|write).*: No space left on device(?s:.*)HINT:  Check free disk space/;
my $before = count();
my $large = q{INSERT INTO t (v, secret) SELECT repeat('large', 100), 's' FROM generate_series(1, 3000)};
fails_like($node, $large, $full, 'a flush');
fails_like($node, "BEGIN; $large; COMMIT", $full, 'a flush in a block');
my ($out, $err);
(undef, $out, $err) = $node->psql('postgres', "BEGIN; SAVEPOINT a; $large; ROLLBACK TO a; SELECT 'goes on'; ROLLBACK", on_error_stop => 0);
like($err, $full, 'a flush in a savepoint');
is($out, 'goes on', 'which alone is rolled back');
is(count(), $before, 'nothing of it is there');
my $committed = 0;
for (1 .. 200)
{
	my ($status, undef, $error) = $node->psql('postgres', 'INSERT INTO t (v) VALUES (repeat($$x$$, 2000))');
	$err = $error;
	last if $status != 0;
	$committed++;
}
like($err, $full, "a commit, after $committed for which there was room");
fails_like($node, q{BEGIN; INSERT INTO t (v) VALUES (repeat('x', 2000)); PREPARE TRANSACTION 'p'}, $full, 'a PREPARE');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 0, 'which prepares nothing');
is(count(), $before + $committed, 'what was answered for is there, and nothing else');
is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('30 s')"), 't', 'and sealed');
is_clean($node, 'log full');
drain('log');
is($node->safe_psql('postgres', "$large; SELECT govledger.wait_sealed('30 s')"), 't', 'room again: the flush goes through');
is_clean($node, 'log drained');

# The disk of leaves, tiles and seals: commits go on, seals wait.
set_system($node, 'govledger.databases' => 'nowhere');
$node->poll_query_until('postgres', 'SELECT NOT worker_running FROM govledger.status') or die 'sealer did not leave';
fill('seals');
commits(700);
my $from = -s $node->logfile;
set_system($node, 'govledger.databases' => undef);
ok($node->poll_query_until('postgres', q{SELECT last_error LIKE 'could not seal: could not extend file %No space left on device' FROM govledger.status}),
	'seals full: status says so');
commits(20);
sleep 2;
commits(20);
is($node->safe_psql('postgres', q{SELECT unsealed_entries, oldest_unsealed_age > '2 s', worker_running FROM govledger.status}), '740|t|t',
	'commits go on, the backlog is counted');
my $log = substr slurp_file($node->logfile), $from;
is(scalar(() = $log =~ /^WARNING:  govledger could not/mg), 1, 'the log says it once');
like($log, qr/^WARNING:  govledger could not seal: could not extend file .*No space left on device\nHINT:  Check free disk space.\nCONTEXT:  sealer of database "postgres"/m,
	'with a hint and its database');
like($log, qr/^WARNING:  govledger: entries are waiting to be sealed since .*\nHINT:  .*status/m, 'an alarm');
fails_like($node, 'SELECT govledger.seal()', $full, 'so does seal()');
is_clean($node, 'seals full');
drain('seals');
is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('30 s')"), 't', 'room again: sealed and signed');
ok($node->poll_query_until('postgres', 'SELECT last_error IS NULL AND unsealed_entries = 0 AND unsigned_blocks = 0 FROM govledger.status'), 'status is well again');
wait_for_log_line($node, qr/LOG:  govledger could seal again/, 'the log says so');

# The signer's: its state cannot be written, so nothing is signed.
fill('signer');
commits(3);
ok($node->poll_query_until('postgres', q{SELECT last_error ~ 'could not sign: could not write signer state file .*: No space left' AND unsealed_entries = 0
	AND unsigned_blocks > 0 FROM govledger.status}), 'state file: status says so, seals go on');
like(slurp_file($node->logfile), qr/could not write signer state file .*No space left on device\nHINT:  Check free disk space/, 'with its hint');
drain('signer');
is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('30 s')"), 't', 'room again: signed');
unlike(inside_out('ls', '-a', $keys), qr/tmp/, 'no half file is left');

# The disk of the WAL: PostgreSQL itself stops. Nothing answered for is lost, and all goes on from there.
fill('wal');
$before = count();
($committed, my $down) = (0, 0);
for (1 .. 200)
{
	my ($status) = $node->psql('postgres', q{INSERT INTO t (v) SELECT repeat('w', 500) FROM generate_series(1, 500)});
	last if $down = $status == 2;
	$committed += 500;
}
ok($down, "WAL full: the server stops after $committed rows");
wait_until_down($node);
like(slurp_file($node->logfile), qr/PANIC:  could not (write|extend|create).*No space left on device/, 'by PANIC');
drain('wal');
start_inside();
is(count(), $before + $committed, 'what was answered for is there, and nothing else');
is($node->safe_psql('postgres', "INSERT INTO t (v) VALUES ('after'); SELECT govledger.wait_sealed('30 s')"), 't', 'sealing and signing go on');
ok(note_checkpoints($node), 'one tree of each size was signed');
is_clean($node, 'after the PANIC');
log_is_sound($node, 'after all');
$node->stop;
$holder->kill_kill;
done_testing();

sub start_inside
{
	system_or_bail(@inside, 'pg_ctl', '-s', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '--cluster-name=disk', 'start');
	$node->_update_pid(1);
	return;
}

# To the last byte; the server's own process, in its own file system.
sub fill
{
	my ($name) = @_;
	return system(@inside, 'sh', '-c', "dd if=/dev/zero of=$disk/$name/filled bs=4k 2>/dev/null; dd if=/dev/zero of=$disk/$name/filled2 bs=1 2>/dev/null; true");
}

sub drain
{
	my ($name) = @_;
	return system_or_bail(@inside, 'sh', '-c', "rm $disk/$name/filled*");
}

sub inside_out
{
	my ($result) = IPC::Run::run([ @inside, @_ ], '>', \my $output) or die;
	return $output;
}

sub count
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM t');
}

sub commits
{
	my ($times) = @_;
	return $node->safe_psql('postgres', join ';', (q{INSERT INTO t (v) VALUES ('x')}) x $times);
}
