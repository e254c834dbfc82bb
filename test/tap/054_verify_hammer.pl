# verify() under load, DDL and damage, while its sessions are cancelled and terminated at random points and the log itself is
# damaged byte by byte: it may find what it likes in what is damaged, but nothing else, and no process may crash.
# GOVLEDGER_SECONDS makes it longer, GOVLEDGER_SEED repeats its choices.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use sealtest;

my $seconds = $ENV{GOVLEDGER_SECONDS} // 6;
my $seed = $ENV{GOVLEDGER_SEED} // time % 1000000;
srand $seed;
diag("seed $seed (GOVLEDGER_SEED), $seconds s (GOVLEDGER_SECONDS)");

# freed memory is overwritten, so that a use of it shows
$ENV{MALLOC_PERTURB_} = 165;
my $node = new_ledger_node('hammer', worker => 1, conf => "max_connections = 60\nlog_statement = none\ndeadlock_timeout = 100ms\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
my $tables = q{
	CREATE TABLE account (id int PRIMARY KEY, balance numeric, note text);
	INSERT INTO account SELECT i, 0, repeat('x', 60) FROM generate_series(1, 1000) i;
	CREATE TABLE transfer (at timestamptz DEFAULT now(), source int, target int, amount numeric);
	CREATE TABLE scratch (id int PRIMARY KEY, v text, w jsonb);
	CREATE TABLE region (area int, id int, v text, PRIMARY KEY (area, id)) PARTITION BY LIST (area);
	CREATE TABLE region_0 PARTITION OF region FOR VALUES IN (0);
	CREATE TABLE region_1 PARTITION OF region FOR VALUES IN (1);
	INSERT INTO region SELECT i % 2, i, 'r' FROM generate_series(1, 300) i;
	SELECT govledger.protect('account', personal => '{note}');
	SELECT govledger.protect('transfer', append_only => true);
	SELECT govledger.protect('scratch');
	SELECT govledger.protect('region');};
my $silently = sub {
	my ($table, $statement) = @_;
	return qq{SET govledger.guards = off; ALTER TABLE $table DISABLE TRIGGER USER; $statement;
		ALTER TABLE $table ENABLE ALWAYS TRIGGER "!govledger", ENABLE ALWAYS TRIGGER "!govledger_truncate"};
};
$node->safe_psql('postgres', $tables . q{
	CREATE TABLE broken (id int PRIMARY KEY, v text, n numeric);
	SELECT govledger.protect('broken', personal => '{v}');
	INSERT INTO broken SELECT i, 'v' || i, i FROM generate_series(1, 3000) i;});
$node->safe_psql('postgres', $silently->('broken', q{UPDATE broken SET v = 'silent', n = -n WHERE id % 3 = 0; DELETE FROM broken WHERE id % 10 = 1}));
# a log for the vandal alone, with every kind of record
$node->safe_psql('postgres', 'CREATE DATABASE fuzz');
$node->safe_psql('postgres', q{ALTER DATABASE fuzz SET govledger.origin = 'fuzz.example/log'});
$node->safe_psql('fuzz', "CREATE EXTENSION govledger; $tables");
$node->safe_psql('fuzz', "INSERT INTO transfer (source, target, amount) SELECT i, -i, i FROM generate_series(1, 3000) i; UPDATE account SET note = 'n', balance = 1 WHERE id % 2 = 0;
	DELETE FROM region WHERE id < 20; TRUNCATE region_1; ALTER TABLE account ADD COLUMN extra text; SELECT govledger.note('n'); SELECT govledger.wait_sealed();
	INSERT INTO scratch SELECT i, repeat('y', i), '[1]' FROM generate_series(1, 200) i;" . join(';', map {"UPDATE account SET balance = balance + $_ WHERE id = $_"} 1 .. 300));
is($node->safe_psql('fuzz', 'SELECT govledger.wait_sealed()'), 't', 'the log to be damaged is sealed');

spill("$dir/work.sql", q{\set a random(1, 1000)
\set i random(1, 300)
\set r random(0, 1)
BEGIN;
UPDATE account SET balance = balance - 1 WHERE id = :a;
SAVEPOINT s;
UPDATE account SET note = 'n' || :i WHERE id = :a;
ROLLBACK TO s;
INSERT INTO transfer (source, target, amount) VALUES (:a, :i, 1);
COMMIT;
DELETE FROM scratch WHERE id = :i;
INSERT INTO scratch VALUES (:i, repeat('x', :a * 20), '{"a": 1}') ON CONFLICT (id) DO UPDATE SET v = scratch.v || '.';
UPDATE region SET area = 0, v = v || :r WHERE id = :i;
UPDATE broken SET n = n + 1 WHERE id = :i;
});
spill("$dir/ddl.sql", q{TRUNCATE scratch;
ALTER TABLE account ADD COLUMN extra text;
UPDATE account SET extra = 'e' WHERE id < 20;
ALTER TABLE account RENAME COLUMN extra TO other;
ALTER TABLE account DROP COLUMN other;
ALTER TABLE region DETACH PARTITION region_1;
UPDATE region_1 SET v = v || '-';
ALTER TABLE region ATTACH PARTITION region_1 FOR VALUES IN (1);
UPDATE region SET area = 1, v = 'r' WHERE id % 2 = 0;
CREATE TABLE IF NOT EXISTS brief (id int PRIMARY KEY, v text);
SELECT govledger.protect('brief');
INSERT INTO brief SELECT i, 'b' FROM generate_series(1, 50) i;
SELECT govledger.unprotect('brief', 'over');
DROP TABLE brief;
VACUUM account;
\sleep 50 ms
});
my @calls = (
	'verify()', q{verify('account')}, q{verify('broken')}, q{verify('region')},
	'verify(since => (SELECT max(tree_size) FROM govledger.seal WHERE height % 7 = 0))',
	'verify(against => (SELECT array_agg(note) FROM govledger.checkpoint))');

# Byte by byte: one value of one row of the log is another, in a transaction that is rolled back.
my %columns = (
	entry => [qw(record_root context_commitment secret claimed content)], record_chunk => ['content'], personal => ['content'],
	context => ['content'], leaf => ['transaction_ids'], seal => [qw(root content right_edge snapshot)], tile => [qw(root hashes)],
	ledger_column => [qw(type_name column_name)], ledger_relation => ['relation_id']);
my $vandal = sub {
	my $table = (sort keys %columns)[ rand keys %columns ];
	my $column = $columns{$table}[ rand @{ $columns{$table} } ];
	my $byte = sprintf '%d', rand 256;
	my %other = (
		transaction_ids => 'transaction_ids[2:]', snapshot => q{'10:20:12'::pg_snapshot}, type_name => "type_name || '$byte'",
		column_name => "column_name || '$byte'", relation_id => 'relation_id + 7');
	my $value = $other{$column} // (
		"set_byte(substring($column FOR (random() * length($column))::int) || '\\x00', 0, $byte)",
		"set_byte($column, (random() * (length($column) - 1))::int, $byte)", "substring($column FROM 2)", "'\\x'::bytea",
		"repeat('\\377', 100)::bytea")[ rand 5 ];
	return qq{BEGIN; SET LOCAL session_replication_role = replica; SET LOCAL statement_timeout = '20s';
		UPDATE govledger.$table SET $column = $value WHERE ctid = (SELECT ctid FROM govledger.$table WHERE length($column\::text) > 3 OR $byte < 20 ORDER BY random() LIMIT 1);
		SELECT count(*) FROM govledger.verify() WHERE NOT ok; ROLLBACK;};
};

my @load = (pgbench('work.sql', 4), pgbench('ddl.sql', 1));
my %count = (run => 0, cancelled => 0, terminated => 0, damage => 0);
my ($findings, $odd) = ('', '');
my @jobs;
my $end = time + $seconds;
while (time < $end)
{
	while (@jobs < 3)
	{
		my $fuzz = rand() < 0.4;
		my $call = $calls[ rand @calls ];
		my $memory = rand() < 0.5 ? '64kB' : '4MB';
		my $sql = $fuzz ? $vandal->()
		  : "SET work_mem = '$memory'; SELECT * FROM govledger.$call WHERE NOT ok AND (object IS NULL OR object NOT LIKE '%broken%');";
		my $job = { fuzz => $fuzz, sql => $sql, out => '', err => '' };
		$job->{handle} = IPC::Run::start(
			[ 'psql', '-XAtq', '-d', $node->connstr($fuzz ? 'fuzz' : 'postgres'), '-c', "SET application_name = 'verify'", map { ('-c', $_) } split /;\s*/, $sql ],
			'>', \$job->{out}, '2>', \$job->{err});
		push @jobs, $job;
	}
	my ($kill, $signal) = rand() < 0.3 ? ('terminated', 'TERM') : ('cancelled', 'INT');
	if (rand() < 0.5)
	{
		my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE application_name = 'verify' ORDER BY random() LIMIT 1");
		select undef, undef, undef, rand 0.15;
		$count{$kill}++ if $pid ne '' && kill $signal, $pid;
	}
	select undef, undef, undef, rand 0.1;
	@jobs = grep { $_->{handle}->pumpable ? (eval { $_->{handle}->pump_nb; 1 }, 1)[1] : (judge($_), 0)[1] } @jobs;
}
for my $load (@load)
{
	ok($load->{handle}->finish, 'the load came through') or diag($load->{err});
}
judge($_) for @jobs;
is($findings, '', 'no finding but in what is damaged');
is($odd, '', 'no error but of a cancel, a lock or a log that cannot be read');
diag(join ', ', map { "$_ $count{$_}" } sort keys %count);
cmp_ok($count{run}, '>=', 2, "runs that came to their end: $count{run}; cancelled $count{cancelled}, terminated $count{terminated}, damaged $count{damage}");
is($node->safe_psql('postgres', q{SELECT * FROM govledger.verify() WHERE NOT ok AND object NOT LIKE '%broken%'}), '', 'clean at the end');
is($node->safe_psql('fuzz', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'and so is the other log, rolled back');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|stack smashing|invalid memory alloc/, 'no crash');
done_testing();

sub judge
{
	my ($job) = @_;
	$job->{handle}->finish;
	my $allowed = qr/canceling statement|terminating connection|server closed|connection to server was lost|deadlock|This probably means|before or while processing|is not as it was written|malformed|damaged|could not obtain lock/;
	my @lines = grep { $_ ne '' && !/$allowed|^(DETAIL|HINT|CONTEXT|LINE|NOTICE|ROLLBACK)|^\s/ } split /\n/, $job->{err};
	$count{ $job->{fuzz} ? 'damage' : 'run' }++ if $job->{err} eq '';
	$findings .= $job->{out} unless $job->{fuzz};
	$odd .= "$job->{sql}\n$_\n" for @lines;
	return;
}

sub pgbench
{
	my ($script, $clients) = @_;
	my $load = { out => '', err => '' };
	$load->{handle} = IPC::Run::start(
		[
			'pgbench', '-n', '-f', "$dir/$script", '-c', $clients, '-j', 1, '-T', $seconds, '--max-tries=100',
			'-h', $node->host, '-p', $node->port, 'postgres'
		],
		'>', \$load->{out}, '2>', \$load->{err});
	return $load;
}
