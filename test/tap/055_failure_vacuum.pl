# Constant load: what vacuum has to do in the log tables, and what it leaves. Rows of the log are inserted and stay, so nothing is
# dead but what was rolled back, and each page is frozen once, soon. GOVLEDGER_SECONDS makes it longer; the numbers are printed.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $seconds = $ENV{GOVLEDGER_SECONDS} // 5;
my $keys = key_directory();
my $node = new_ledger_node('vacuum', worker => 1,
	conf => "log_statement = none\nautovacuum_naptime = 1s\nautovacuum_vacuum_cost_delay = 0\nmax_wal_size = 4GB\nsynchronous_commit = off\n");
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', q{
	CREATE TABLE account (id int PRIMARY KEY, balance bigint, note text) WITH (fillfactor = 50);
	INSERT INTO account SELECT i, 0, 'n' FROM generate_series(1, 1000) i;
	SELECT govledger.protect('account', personal => '{note}');});
spill("$dir/small.sql", "\\set i random(1, 1000)\nUPDATE account SET balance = balance + 1, note = 'n' || :i WHERE id = :i;\n");
spill("$dir/large.sql", q{\set i random(1, 1000000000)
BEGIN;
INSERT INTO t SELECT :i::int + g, repeat('l', 300) FROM generate_series(1, 2000) g ON CONFLICT DO NOTHING;
SAVEPOINT a;
INSERT INTO t SELECT -(:i::int) - g, repeat('r', 300) FROM generate_series(1, 1000) g ON CONFLICT DO NOTHING;
ROLLBACK TO a;
DELETE FROM t WHERE id BETWEEN :i::int AND :i::int + 2000;
COMMIT;
\sleep 200 ms
});
my @load = map {
	my $job = { out => '', err => '' };
	$job->{handle} = IPC::Run::start([ 'pgbench', '-n', '-f', "$dir/$_->[0]", '-c', $_->[1], '-j', 1, '-T', $seconds, '-M', 'prepared', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$job->{out}, '2>', \$job->{err});
	$job
} [ 'small.sql', 4 ], [ 'large.sql', 1 ];
# a signer that fails and is mended again and again
for my $turn (1 .. ($seconds < 60 ? 2 : 30))
{
	rename "$keys/key", "$keys/away" or die;
	ok($node->poll_query_until('postgres', 'SELECT last_error IS NOT NULL FROM govledger.status'), "turn $turn: no key");
	rename "$keys/away", "$keys/key" or die;
	ok($node->poll_query_until('postgres', 'SELECT last_error IS NULL FROM govledger.status'), "turn $turn: a key");
}
ok($_->{handle}->finish, 'the load came through') or diag($_->{err}) for @load;
is($node->safe_psql('postgres', "SELECT govledger.wait_sealed('60 s')"), 't', 'all is sealed');

# counted late, as the server does
my $vacuumed = q{SELECT bool_and(autovacuum_count > 0) FROM pg_stat_all_tables WHERE relid = 'govledger.entry'::regclass};
ok($node->poll_query_until('postgres', $vacuumed), 'vacuum came to the entries, of which none is ever dead');
my $tables = q{'govledger.' || unnest('{context,entry,record_chunk,personal,leaf,seal,tile,checkpoint,sealer_state}'::text[]) AS name};
diag($node->safe_psql('postgres', qq{
	SELECT format('%-23s %9s rows in, %s changed, %6s dead, %6s kB, %3s vacuums, age %7s, %5s of %5s pages frozen or visible', name, n_tup_ins, n_tup_upd + n_tup_del,
		n_dead_tup, pg_table_size(relid) / 1024, autovacuum_count, age(relfrozenxid), relallvisible, relpages)
	FROM (SELECT $tables) n JOIN pg_stat_all_tables s ON relid = name::regclass JOIN pg_class c ON c.oid = relid}));
is($node->safe_psql('postgres', qq{
	SELECT sum(n_tup_upd + n_tup_del) FROM (SELECT $tables) n JOIN pg_stat_all_tables ON relid = name::regclass WHERE name <> 'govledger.sealer_state'}),
	'0', 'rows of the log are only inserted');
is($node->safe_psql('postgres', q{SELECT pg_relation_size('govledger.sealer_state') <= 3 * 8192 AND n_tup_upd > 1 FROM pg_stat_all_tables
	WHERE relid = 'govledger.sealer_state'::regclass}), 't', 'the one row that changes does not grow');
# frozen at the first visit: an anti-wraparound vacuum finds nothing to do but in what came since
$node->safe_psql('postgres', 'CREATE EXTENSION pg_visibility');
my ($visible, $frozen) = split /\|/, $node->safe_psql('postgres', q{SELECT all_visible, all_frozen FROM pg_visibility_map_summary('govledger.entry')});
cmp_ok($visible, '>', 0, "$visible pages of the entries are visible to all");
is($frozen, $visible, 'and all of them are frozen');
is($node->safe_psql('postgres', 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', 'verify finds nothing');
$node->stop;
done_testing();
