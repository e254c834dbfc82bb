# What is in a block: everything committed, nothing open, in spite of whoever is slow.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $node = new_ledger_node('wait', worker => 1);
my $keys = key_directory();
my $wait = q{SELECT govledger.wait_sealed('20 s')};
my $leaves = q{SELECT count(*) FROM govledger.leaf, unnest(transaction_ids)};
my $entries = q{SELECT count(*) FROM govledger.entry};
my $equal = "SELECT ($leaves) = ($entries)";

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', $wait);

# Open and prepared transactions delay nobody, and are sealed when they commit.
my $open = $node->background_psql('postgres');
$open->query_safe(q{BEGIN; INSERT INTO t VALUES (1, 'open')});
$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (2, 'prepared'); PREPARE TRANSACTION 'p'});
for my $id (3 .. 6)
{
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($id, 'x')");
	is($node->safe_psql('postgres', $wait), 't', "row $id is sealed while others are open");
}
is($node->safe_psql('postgres', "SELECT pg_snapshot_xip(snapshot) IS NOT NULL FROM govledger.seal ORDER BY height DESC LIMIT 1"),
	't', 'the seal remembers who was open');
is($node->safe_psql('postgres', 'SELECT unsealed_entries FROM govledger.status'), '0', 'nothing waits');
$open->query_safe('COMMIT');
$node->safe_psql('postgres', $wait);
is($node->safe_psql('postgres', $equal), 't', 'the open one, once committed');
$open->quit;
$node->restart;
$node->safe_psql('postgres', q{COMMIT PREPARED 'p'});
$node->safe_psql('postgres', $wait);
is($node->safe_psql('postgres', $equal), 't', 'the prepared one, after a restart');
$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES (7, 'prepared'); PREPARE TRANSACTION 'q'; ROLLBACK PREPARED 'q'});
$node->safe_psql('postgres', $wait);
is($node->safe_psql('postgres', "SELECT unsealed_entries FROM govledger.status"), '0', 'a prepared one that is rolled back is none');

# A caller whose own snapshot is old.
$open = $node->background_psql('postgres');
$open->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t');
$node->safe_psql('postgres', q{INSERT INTO t VALUES (8, 'x')});
is($open->query_safe($wait), 't', 'under REPEATABLE READ');
is($node->safe_psql('postgres', 'SELECT unsealed_entries, unsigned_blocks FROM govledger.status'), '0|0', 'and that is true');
is($open->query_safe('SELECT count(*) FROM t'), $node->safe_psql('postgres', 'SELECT count(*) - 1 FROM t'),
	'and its snapshot is what it was');
$open->query_safe('COMMIT; BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY');
is($open->query_safe($wait), 't', 'read only');
$open->query_safe('COMMIT');

# The caller's own transaction is not waited for, nor sealed.
is($open->query_safe(q{BEGIN; INSERT INTO t VALUES (9, 'mine'); SELECT govledger.wait_sealed('20 s')}), 't', 'own changes are open');
$open->query_safe('SELECT govledger.seal()');
$open->query_safe('ROLLBACK');
$node->safe_psql('postgres', $wait);
is($node->safe_psql('postgres', $equal), 't', 'govledger.seal() takes only what is committed');

# Anybody may wait; nobody waits for ever.
$node->safe_psql('postgres', 'CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA govledger TO guest');
is($node->safe_psql('postgres', $wait, extra_params => [ '-U', 'guest' ]), 't', 'without any right to a table');
set_system($node, 'govledger.seal_interval' => '1h');
$node->safe_psql('postgres', q{SELECT pg_sleep(0.3); INSERT INTO t VALUES (10, 'x')});
is($node->safe_psql('postgres', q{SELECT govledger.wait_sealed('300 ms')}), 'f', 'false when the time is over');
fails_like($node, q{SET statement_timeout = '300 ms'; SELECT govledger.wait_sealed()}, qr/statement timeout/, 'interrupted');
fails_like($node, q{BEGIN; LOCK TABLE govledger.seal; SET statement_timeout = '500 ms'; SELECT govledger.seal()},
	qr/statement timeout/, 'a cancelled govledger.seal()');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'govledger one%'}),
	'takes its process with it');
$node->safe_psql('postgres', 'SELECT govledger.seal()');
is($node->safe_psql('postgres', q{SELECT govledger.wait_sealed('0 s')}), 't', 'nothing to wait for');
set_system($node, 'govledger.seal_interval' => '10ms');

# Many writers at once, some slow: at the end everything is sealed, once.
$node->safe_psql('postgres', $wait);
spill($node->basedir . '/load', q{\set s random(1, 20)
BEGIN;
SELECT govledger.note('load');
\sleep :s ms
END;
});
$node->command_ok([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '50', '-f', $node->basedir . '/load', 'postgres' ], 'load');
$node->safe_psql('postgres', $wait);
is($node->safe_psql('postgres', $equal), 't', 'every entry is one leaf');
is($node->safe_psql('postgres',
		'SELECT count(*) - count(DISTINCT id) FROM govledger.leaf, unnest(transaction_ids) AS id'), '0', 'and none is two');
cmp_ok($node->safe_psql('postgres', 'SELECT max(height) FROM govledger.seal'), '>', 10, 'in many blocks');

# Rows that nobody's transaction wrote are not sealed, and are reported.
$node->safe_psql('postgres', q{
	INSERT INTO govledger.entry SELECT (SELECT max(transaction_id::text::bigint) + 1000000 FROM govledger.entry)::text::xid8,
		"position", entry_time, records, context_id, generation, record_root, context_commitment, secret, record_secret,
		claimed, actor_signature, content FROM govledger.entry LIMIT 1});
ok($node->poll_query_until('postgres',
		q{SELECT last_error LIKE '%not written by the transaction they name%' FROM govledger.status}), 'a stranger in the log');
$node->safe_psql('postgres', q{INSERT INTO t VALUES (11, 'x')});
ok($node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM govledger.entry e WHERE NOT EXISTS
			(SELECT FROM govledger.leaf, unnest(transaction_ids) AS id WHERE id = e.transaction_id)}), 'the others are sealed');
$node->safe_psql('postgres', q{DELETE FROM govledger.entry e WHERE NOT EXISTS
			(SELECT FROM govledger.leaf, unnest(transaction_ids) AS id WHERE id = e.transaction_id)});

$open->quit;
log_is_sound($node, 'at the end');
done_testing();
