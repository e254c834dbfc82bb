# The process that fills histories: when it runs, what stops it, what it stops.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use LedgerTest;

my $node = ledger_node('history', worker => 1, conf => "restart_after_crash = on\nmax_worker_processes = 8\n");
my $sql = sub { return $node->safe_psql($_[1] // 'postgres', $_[0]) };
my $pid_of = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'govledger history' AND datname = };
my $same = sub {
	my ($test, $table) = @_;
	$table //= 't';
	return is($sql->("SELECT govledger.wait_history('60 s'); SELECT count(*) FROM ((TABLE $table EXCEPT SELECT * FROM govledger.as_of(NULL::$table, 'infinity'::timestamptz))
		UNION ALL (SELECT * FROM govledger.as_of(NULL::$table, 'infinity'::timestamptz) EXCEPT TABLE $table)) x"), "t\n0", $test);
};

$sql->(q{
	CREATE TABLE t (id bigint PRIMARY KEY, kind integer, amount numeric(12,2), at timestamptz, code text, remark text);
	CREATE TABLE u (id integer PRIMARY KEY, v text);
	SELECT govledger.protect('t'), govledger.protect('u');
	INSERT INTO u VALUES (1, 'a');});
$same->('filled behind the sealer', 'u');

# Load, then the lag.
my $rows = $ENV{GOVLEDGER_HISTORY_ROWS} // 20000;
$sql->("INSERT INTO t SELECT g, g % 1000, g / 100.0, timestamptz '2026-01-01' + g * interval '1 s', md5(g::text), 'the remark of row ' || g FROM generate_series(1, $rows) g");
my $began = time;
$sql->('SELECT govledger.wait_history()');
diag(sprintf 'history lag after %d rows: %.2f s', $rows, time - $began);
$same->('after a load');

# The process ends, by order and by force.
my $pid = $sql->("$pid_of 'postgres'");
like($pid, qr/^\d+$/, 'it runs') or diag($pid);
$sql->("SELECT pg_terminate_backend($pid)");
$sql->(q{INSERT INTO u VALUES (2, 'b')});
$same->('after SIGTERM', 'u');
$pid = $sql->("$pid_of 'postgres'");
$sql->("UPDATE t SET kind = kind + 1 WHERE id % 4 = 0");
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
$same->('after SIGKILL under work');
$node->restart;
$sql->(q{DELETE FROM t WHERE id % 7 = 0});
$same->('after a restart');
$node->poll_query_until('postgres', "SELECT NOT EXISTS ($pid_of 'postgres')") or die 'it stays';
ok(1, 'it leaves when there is nothing to do');

# One history that cannot go on.
$sql->('ALTER TABLE u_history RENAME COLUMN ledger_time TO gone');
$sql->(q{UPDATE u SET v = 'c'; INSERT INTO t (id) VALUES (-1)});
$node->poll_query_until('postgres', q{SELECT error LIKE '%ledger_time%' AND behind > 0 FROM govledger.history_status WHERE table_name = 'u'}) or die 'no error';
$node->poll_query_until('postgres', q{SELECT behind = 0 FROM govledger.history_status WHERE table_name = 't'}) or die 'the other one waits';
is($sql->('SELECT last_error IS NULL FROM govledger.status'), 't', 'sealing does not know of it');
my ($status, $out, $error) = $node->psql('postgres', 'SELECT govledger.wait_history()');
like($error, qr/the history of public\.u cannot be filled/, 'whoever waits for it is told');
is(scalar(() = slurp_file($node->logfile) =~ /could not fill the history of table 2/g), 1, 'the server log says it once');
$sql->('ALTER TABLE u_history RENAME COLUMN gone TO ledger_time');
$node->poll_query_until('postgres', q{SELECT error IS NULL AND behind = 0 FROM govledger.history_status WHERE table_name = 'u'}) or die 'no other try';
$same->('it is tried again', 'u');
# A history that is locked for long.
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE u_history IN ACCESS EXCLUSIVE MODE');
$sql->(q{UPDATE u SET v = 'd'; INSERT INTO t (id) VALUES (-2)});
$node->poll_query_until('postgres', q{SELECT behind = 0 FROM govledger.history_status WHERE table_name = 't'}) or die 'the other one waits';
ok(1, 'a locked history holds up no other');
$locker->query_safe('COMMIT');
$locker->quit;
$same->('and comes after', 'u');

# Rebuilt while others write.
my $writer = $node->background_psql('postgres');
$writer->query_until(qr/begun/, "\\echo begun\nDO \$\$ BEGIN FOR i IN 1 .. 300 LOOP UPDATE t SET kind = i WHERE id = i; COMMIT; END LOOP; END \$\$;\n");
cmp_ok($sql->(q{SELECT govledger.rebuild('t')}), '>', $rows, 'rebuild');
$writer->quit;
$same->('rebuilt under writers');

# All slots are taken.
$node->poll_query_until('postgres', "SELECT NOT EXISTS ($pid_of 'postgres')") or die 'it stays';
$node->append_conf('postgresql.conf', "max_worker_processes = 3\ngovledger.databases = 'postgres'\n");
$node->restart;
$node->poll_query_until('postgres', 'SELECT worker_running FROM govledger.status') or die 'no sealer';
$node->poll_query_until('postgres', "SELECT NOT EXISTS ($pid_of 'postgres')") or die 'it stays';
# the launcher, the logical replication launcher and the sealer have them
$sql->(q{UPDATE u SET v = 'e'});
$node->poll_query_until('postgres', q{SELECT last_error LIKE '%out of background worker slots%' FROM govledger.status}) or die 'no error';
is($sql->(q{SELECT govledger.wait_sealed('20 s')}), 't', 'sealing goes on without a slot for histories');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$node->restart;
$same->('and the history comes when there is one', 'u');

# A database with the process in it can be dropped; a copy of a ledger fills nothing.
$sql->('CREATE DATABASE other');
$sql->(q{CREATE EXTENSION govledger; CREATE TABLE t (id integer PRIMARY KEY); SELECT govledger.protect('t'); INSERT INTO t VALUES (1)}, 'other');
$node->append_conf('postgresql.conf', "govledger.databases = '*'\n");
$node->append_conf('postgresql.conf', "govledger.databases = 'postgres, other, copied'\n");
$node->reload;
$node->poll_query_until('other', "SELECT EXISTS ($pid_of 'other')") or die 'not started';
$sql->('CREATE DATABASE copied TEMPLATE other');
my $copied = $sql->('SELECT count(*) FROM t_history', 'copied');
sleep 1;
is($sql->('SELECT count(*) FROM t_history', 'copied'), $copied, 'a copy fills nothing');
$sql->(q{SELECT govledger.adopt('test')}, 'copied');
is($sql->(q{INSERT INTO t VALUES (2); SELECT govledger.wait_history('60 s'); SELECT count(*) FROM govledger.as_of(NULL::t, 'infinity'::timestamptz)}, 'copied'),
	"t\n2", 'then it goes on');
$sql->('DROP DATABASE other');
ok(1, 'DROP DATABASE');

# Without the library preloaded.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->restart;
$sql->(q{UPDATE u SET v = 'f'; DELETE FROM t WHERE id < 0});
$same->('without preload, by a one-shot worker', 'u');
$same->('without preload, by a one-shot worker');
is($sql->('SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'verify finds nothing');
my ($ok, $output) = command_output('python3', 'test/soak/history.py', time % 100000, $node->connstr('postgres'));
ok($ok, 'as_of gives what a replay of the log gives') or diag($output);

$node->stop;
done_testing();
