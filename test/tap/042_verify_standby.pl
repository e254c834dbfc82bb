# verify() on a hot standby, and on clones and restored dumps of a ledger.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $primary = new_ledger_node('primary', init => { allows_streaming => 1 });
my $findings = q{SELECT check_name, key, column_name, logged, found FROM govledger.verify() WHERE NOT ok};

$primary->safe_psql('postgres', q{
	CREATE TABLE p (id int PRIMARY KEY, v text, at float8) PARTITION BY RANGE (id);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
	SELECT govledger.protect('p', personal => '{v}');
	INSERT INTO p SELECT i, 'v' || i, i / 3.0 FROM generate_series(1, 500) i;
	INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 500) i;});
$primary->safe_psql('postgres', 'SELECT govledger.seal()');
$primary->safe_psql('postgres', 'UPDATE t SET v = v || 1 WHERE id % 3 = 0');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $findings), '', 'clean on the standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM govledger.verify('p', since => 3) WHERE NOT ok}), '0', 'with arguments');
is($standby->safe_psql('postgres', q{SELECT detail FROM govledger.verify() WHERE check_name = 'unsealed'}),
	'1 entries wait for a seal', 'unsealed entries are looked at');

$primary->safe_psql('postgres', q{SET govledger.guards = off; ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET v = 'silent' WHERE id = 7;
	ALTER TABLE t ENABLE ALWAYS TRIGGER "!govledger", ENABLE ALWAYS TRIGGER "!govledger_truncate";
	ALTER TABLE p1 DISABLE TRIGGER USER; UPDATE p SET at = 0.1 WHERE id = 8;
	ALTER TABLE p1 ENABLE ALWAYS TRIGGER "!govledger", ENABLE ALWAYS TRIGGER "!govledger_truncate"});
$primary->wait_for_catchup($standby);
my $expected = qq{rows|{"id": 7}|v|v7|silent\nrows|{"id": 8}|at|2.6666666666666665|0.1};
is($standby->safe_psql('postgres', $findings), $expected, 'tampering is named on the standby');
is($primary->safe_psql('postgres', $findings), $expected, 'as on the primary');
is($standby->safe_psql('postgres', 'BEGIN; SELECT count(*) > 0 FROM govledger.verify(); SELECT pg_current_xact_id_if_assigned() IS NULL; COMMIT'),
	"t\nt", 'no transaction id is drawn');
is($primary->safe_psql('postgres', 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT count(*) > 0 FROM govledger.verify(); SELECT pg_current_xact_id_if_assigned() IS NULL; COMMIT'),
	"t\nt", 'nor on the primary, in a read-only transaction');

# Repaired lawfully: what lies in the past stays named, on whichever server
$primary->safe_psql('postgres', q{UPDATE t SET v = 'v7' WHERE id = 7; UPDATE p SET at = 8 / 3.0 WHERE id = 8});
is($primary->safe_psql('postgres', $findings), $expected, 'still named after a lawful repair');

# A dump restored into another database: other transactions wrote the rows, and what is sealed is proven all the same.
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$primary->safe_psql('postgres', 'SELECT govledger.seal()');
command_ok([ 'pg_dump', '-h', $primary->host, '-p', $primary->port, '-f', $dump, 'postgres' ], 'dump');
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "govledger.databases = 'nowhere'\n");
$other->start;
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $other->host, '-p', $other->port, '-f', $dump, 'postgres' ], 'restore');
is($other->safe_psql('postgres', $findings), $expected, 'the restored log verifies, with the same findings');
done_testing();
