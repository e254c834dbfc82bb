# Work that is large, deep or oddly ordered; after each piece the log replayed gives the tables and verify finds nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;

my $rows = $ENV{GOVLEDGER_ROWS} // 1_000_000;
my $node = ledger_node('hard', key => 1, init => { allows_streaming => 'logical' }, conf => "max_wal_size = 4GB\nshared_buffers = 16MB\n");

# A database of its own for each piece, so the checks read only what it wrote.
sub piece
{
	my ($database, @statements) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	run_in($database, 'CREATE EXTENSION govledger', @statements);
	return $database;
}

sub run_in
{
	my ($database, @statements) = @_;
	return $node->safe_psql($database, join(";\n", 'SET client_min_messages = warning', @statements));
}

sub sealed_and_clean
{
	my ($database, $test) = @_;
	run_in($database, 'SELECT govledger.seal()');
	return is_clean($node, $test, database => $database);
}

SKIP:
{
	skip 'no /proc', 4 unless -e '/proc/self/status';
	my $database = piece('memory', 'CREATE TABLE t (id integer PRIMARY KEY, v text, n integer)', q{SELECT govledger.protect('t')},
		q{CREATE FUNCTION measure(OUT mb integer) LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\s+(\d+)')::integer / 1024 $$});
	# the most memory the backend ever had, the 16 MB of shared buffers included; PostgreSQL's own list of row triggers takes 12 bytes a row
	my $mb = run_in($database, 'BEGIN', 'SELECT measure()', "INSERT INTO t SELECT g, 'value ' || g, g FROM generate_series(1, $rows) g", 'SELECT measure()', 'COMMIT');
	my ($before, $after) = split /\n/, $mb;
	cmp_ok($after - $before, '<', 60 + $rows / 60_000, "$rows rows in one transaction: $before MB, then $after MB");
	$mb = run_in($database, 'BEGIN', 'SELECT measure()', 'SAVEPOINT a', "UPDATE t SET n = n + 1 WHERE id % 4 = 0", 'ROLLBACK TO a',
		'UPDATE t SET n = n + 1 WHERE id % 4 = 1', 'SELECT measure()', 'COMMIT');
	($before, $after) = split /\n/, $mb;
	cmp_ok($after - $before, '<', 60 + $rows / 60_000, "updates, half rolled back: $before MB, then $after MB");
	run_in($database, 'SELECT govledger.seal()');
	is($node->safe_psql($database, 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', "$rows rows: verify finds nothing");
	is($node->safe_psql($database, 'SELECT sum(records) FROM govledger.entry'), 2 + $rows + $rows / 4, "$rows rows: a record for each change, one for the table, one for the key");
}

# The reader in Python is slow: it looks at smaller values, which take the same ways.
for my $size (100, 10)
{
	my $large = piece("large$size", 'CREATE TABLE t (id integer PRIMARY KEY, v text, b bytea)', q{SELECT govledger.protect('t')});
	run_in($large, "INSERT INTO t VALUES (1, repeat('0123456789', ${size}00000), NULL)", q{UPDATE t SET v = v || 'x'},
		q{UPDATE t SET b = '\x00ff', id = 2}, 'DELETE FROM t', 'BEGIN', 'SAVEPOINT a',
		"INSERT INTO t VALUES (3, repeat('roll back!', ${size}00000))", 'ROLLBACK TO a', q{INSERT INTO t VALUES (4)}, 'COMMIT');
	is($node->safe_psql($large, "SELECT max(length(content)) > ${size}000000 * 2 FROM govledger.record_chunk"), 't', "a $size MB value: old and new are in the log");
	run_in($large, 'SELECT govledger.seal()');
	is($node->safe_psql($large, 'SELECT * FROM govledger.verify() WHERE NOT ok'), '', "a $size MB value: verify finds nothing");
	is_clean($node, "a $size MB value", database => $large) if $size == 10;
}

my $deep = piece('deep', 'CREATE TABLE t (id integer PRIMARY KEY, v text)', q{SELECT govledger.protect('t')});
my @nested = map { ("SAVEPOINT s$_", "INSERT INTO t SELECT 1000 * $_ + g, repeat('n', 100) FROM generate_series(1, 5) g") } 1 .. 500;
run_in($deep, 'BEGIN', @nested, 'ROLLBACK TO s400', 'INSERT INTO t VALUES (1)', 'RELEASE s300', 'ROLLBACK TO s200', 'RELEASE s100', 'COMMIT');
is($node->safe_psql($deep, 'SELECT count(*), max(id) FROM t'), '995|199005', '500 nested savepoints: the right ones came through');
run_in($deep, 'BEGIN', (map { s/1000 \*/5000000 + 1000 */r } @nested[ 0 .. 99 ]), "INSERT INTO t SELECT -g, repeat('flush', 1000) FROM generate_series(1, 500) g", 'ROLLBACK TO s50', 'RELEASE s1', 'ROLLBACK');
sealed_and_clean($deep, '500 nested savepoints');
run_in($deep, q{DO $$ BEGIN FOR i IN 1 .. 100000 LOOP BEGIN
		INSERT INTO t VALUES (1000000 + i, 'loop');
		IF i % 3 = 0 THEN RAISE 'back'; END IF;
		EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$});
is($node->safe_psql($deep, 'SELECT count(*) FROM t WHERE id > 1000000'), '66667', 'an exception loop of 100000');
sealed_and_clean($deep, 'an exception loop');

my $keys = piece('keys', q{
	CREATE TABLE a (id integer PRIMARY KEY);
	CREATE TABLE b (id integer PRIMARY KEY, d integer DEFAULT 0 REFERENCES a ON DELETE SET DEFAULT ON UPDATE CASCADE,
		n integer REFERENCES a ON DELETE SET NULL ON UPDATE SET NULL);
	CREATE TABLE c (id integer PRIMARY KEY, b integer REFERENCES b ON DELETE CASCADE ON UPDATE CASCADE,
		parent integer REFERENCES c ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO a SELECT generate_series(0, 6);
	INSERT INTO b SELECT g, g, g FROM generate_series(1, 6) g;
	INSERT INTO c SELECT g, g, nullif(g - 1, 0) FROM generate_series(1, 6) g;
	SET CONSTRAINTS ALL IMMEDIATE;
	SELECT govledger.protect('a'), govledger.protect('b'), govledger.protect('c')},
	'UPDATE a SET id = id + 100 WHERE id IN (1, 2)', 'DELETE FROM a WHERE id IN (3, 101)', 'UPDATE b SET id = id + 10 WHERE id = 6', 'DELETE FROM b WHERE id = 5', 'DELETE FROM c WHERE id = 1');
is($node->safe_psql($keys, q{SELECT string_agg(concat_ws('/', id, d, n), ' ' ORDER BY id) FROM b}), '1/0 2/102 3/0 4/4/4 16/6/6', 'foreign keys: cascades happened');
sealed_and_clean($keys, 'foreign keys');

# DESIGN 3.2: the user's trigger of an earlier row changes a later row of the same statement, whose own trigger fires after that.
my $trap = piece('trap', q{
	CREATE TABLE t (id integer PRIMARY KEY, v text);
	CREATE TABLE other (id integer, v text, n serial PRIMARY KEY);
	CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;
		UPDATE t SET v = v || ' trapped' WHERE id = NEW.id + 1;
		DELETE FROM t WHERE id = NEW.id + 2;
		INSERT INTO t VALUES (NEW.id + 2, 'new') ON CONFLICT DO NOTHING;
		RETURN NULL;
	END $$;
	CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v || '.'; RETURN NEW; END $$;
	CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO other VALUES (NEW.id, 'late'); UPDATE other SET v = v || '!' WHERE id = NEW.id; RETURN NULL; END $$;
	INSERT INTO t SELECT g, 'v' FROM generate_series(1, 9) g;
	SELECT govledger.protect('t'), govledger.protect('other');
	CREATE TRIGGER " first of all" AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trap();
	CREATE TRIGGER zz AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION trap();
	CREATE TRIGGER before BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION before();
	CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();},
	q{UPDATE t SET v = 'u' WHERE id IN (1, 2, 3, 4)}, q{INSERT INTO t VALUES (20, 'i'), (21, 'i'), (22, 'i')},
	'BEGIN', q{UPDATE t SET v = 'again'}, 'SAVEPOINT a', q{INSERT INTO t VALUES (40, 'x')}, 'ROLLBACK TO a', q{INSERT INTO t VALUES (50, 'y')}, 'SET CONSTRAINTS ALL IMMEDIATE', q{INSERT INTO t VALUES (60, 'z')}, 'COMMIT');
is($node->safe_psql($trap, q{SELECT count(*) > 3, bool_and(v LIKE 'late!%') FROM other}), 't|t', 'triggers: the deferred one fired');
sealed_and_clean($trap, 'trigger order');

my $parts = piece('parts', q{
	CREATE TABLE p (id integer, k integer, v text, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
	CREATE TABLE p2 (v text, junk integer, k integer NOT NULL, id integer NOT NULL);
	ALTER TABLE p2 DROP COLUMN junk;
	ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
	CREATE TABLE px PARTITION OF p DEFAULT PARTITION BY LIST (id);
	CREATE TABLE px1 PARTITION OF px DEFAULT;
	INSERT INTO p SELECT g, g, 'v' FROM generate_series(1, 30) g;
	SELECT govledger.protect('p', personal => '{v}');},
	q{UPDATE p SET k = (k + 10) % 40}, q{UPDATE p SET k = 5, v = 'moved' WHERE id = 15}, q{UPDATE p SET k = k}, q{UPDATE p2 SET v = 'direct'}, q{DELETE FROM p WHERE id % 5 = 0}, 'TRUNCATE p2');
sealed_and_clean($parts, 'updates across partitions');

# Logical replication writes in replica role, without the user's triggers, and is captured all the same.
my $source = 'source';
$node->safe_psql('postgres', "CREATE DATABASE $source");
my $tables = 'CREATE TABLE t (id integer PRIMARY KEY, v text); CREATE TABLE p (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (500)';
run_in($source, $tables, 'CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (2000)', "INSERT INTO t SELECT g, 'before' FROM generate_series(1, 5) g",
	'CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root = true)', q{SELECT pg_create_logical_replication_slot('slot', 'pgoutput')});
my $apply = piece('apply', $tables, 'CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (500) TO (1000)', 'CREATE TABLE p3 PARTITION OF p DEFAULT',
	q{SELECT govledger.protect('t'), govledger.protect('p', personal => '{v}')});
$node->safe_psql($apply, sprintf(q{CREATE SUBSCRIPTION sub CONNECTION '%s' PUBLICATION pub WITH (create_slot = false, slot_name = 'slot')}, $node->connstr($source) =~ s/'/''/gr));
$node->poll_query_until($apply, q{SELECT count(*) = 2 FROM pg_subscription_rel WHERE srsubstate = 'r'}) or die 'no synchronisation';
run_in($source, q{UPDATE t SET v = 'u' WHERE id = 1}, 'DELETE FROM t WHERE id = 2', q{INSERT INTO p SELECT g, 'x' || g FROM generate_series(490, 510) g}, 'UPDATE p SET id = id + 20 WHERE id = 495',
	'BEGIN', 'INSERT INTO t VALUES (100)', 'SAVEPOINT x', 'INSERT INTO t VALUES (101)', 'ROLLBACK TO x', 'TRUNCATE p', q{INSERT INTO p VALUES (1, 'one'), (1500, 'far')}, 'COMMIT');
$node->poll_query_until($apply, 'SELECT count(*) = 1 FROM t WHERE id = 100') or die 'no replication';
is($node->safe_psql($apply, q{SELECT (SELECT string_agg(concat(id, v), ' ' ORDER BY id) FROM t), (SELECT string_agg(concat(id, v), ' ' ORDER BY id) FROM p)}),
	'1u 3before 4before 5before 100|1one 1500far', 'logical replication: the changes arrived');
sealed_and_clean($apply, 'logical replication');
$node->safe_psql($apply, $_) for 'ALTER SUBSCRIPTION sub DISABLE', 'ALTER SUBSCRIPTION sub SET (slot_name = NONE)', 'DROP SUBSCRIPTION sub';

$node->stop('immediate');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash');
done_testing();
