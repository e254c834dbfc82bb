# An updated extension has the same catalog as a fresh one, and a ledger of the old version goes on through the update.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;
use sealtest;

my @releases = map { m{govledger--(.*)\.sql\z} } sort glob 'src/upgrade/released/*.sql';
my ($current) = slurp_file('govledger.control') =~ /default_version = '(.*)'/;
my $extensions = command_line_output($ENV{PG_CONFIG} // 'pg_config', '--sharedir');
system_or_bail('cp', glob('src/upgrade/released/*.sql'), "$ENV{GOVLEDGER_STAGE}$extensions/extension");

my $keys = key_directory();
my $node = PostgreSQL::Test::Cluster->new('update');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ngovledger.databases = 'nowhere'\ngovledger.signing_key = '$keys/key'\n");
$node->start;

sub command_line_output
{
	my (@command) = @_;
	my ($ok, $output) = command_output(@command);
	die "@command: $output" unless $ok;
	chomp $output;
	return $output;
}

# Everything an extension is made of, as SQL: pg_dump for pg_upgrade writes its members out one by one.
sub catalog_of
{
	my ($database) = @_;
	my $dump = command_line_output('pg_dump', '--schema-only', '--binary-upgrade', '-d', $node->connstr($database));

	# what is another in each database: oids, files, transaction ids
	$dump =~ s/^SELECT pg_catalog\.binary_upgrade_(?!create_empty_extension|set_record_init_privs).*\n//mg;
	$dump =~ s/^-- For binary upgrade, must preserve.*\n//mg;
	$dump =~ s/^(?:UPDATE pg_catalog\.pg_class|SET relfrozenxid|WHERE oid = ).*\n//mg;
	$dump =~ s/^\\(?:un)?restrict .*\n//mg;
	$dump =~ s/^-- (?:Started|Completed|Dumped).*\n//mg;
	$dump =~ s/, '\{[\d,]*\}'::pg_catalog\.oid\[\]/, OIDS/g;
	$dump =~ s/^SELECT pg_catalog\.binary_upgrade_create_empty_extension\(.*?\);\n//msg;
	# no list of privileges, and one that is left with the owner's after a REVOKE, are the same
	$dump =~ s/^--\n-- Name: [^\n]*; Type: ACL;[^\n]*\n--\n\nSELECT [^\n]*init_privs\(true\);\nSELECT [^\n]*init_privs\(false\);\n//mg;
	$dump =~ s/\n{3,}/\n\n/g;
	return $dump . $node->safe_psql($database, q{
		SELECT 'dumped: ' || c::regclass || ' where ' || w FROM pg_extension, unnest(extconfig, extcondition) d (c, w)
		 WHERE extname = 'govledger' ORDER BY 1;
		SELECT 'extension: ' || extversion || ' ' || extnamespace::regnamespace || ' ' || extrelocatable || ' ' || extowner::regrole
		  FROM pg_extension WHERE extname = 'govledger';
		SELECT 'member: ' || pg_describe_object(classid, objid, objsubid) FROM pg_depend
		 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'govledger') ORDER BY 1}) . "\n";
}

sub same_catalog
{
	my ($updated, $fresh, $test) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();

	spill("$dir/updated", $updated);
	spill("$dir/fresh", $fresh);
	my ($same, $difference) = command_output('diff', '-U', '8', "$dir/updated", "$dir/fresh");
	ok($same, $test)
	  or diag("the update script lacks what stands behind +, and must take away what stands behind -:\n$difference");
	return;
}

sub roles
{
	return $node->safe_psql('postgres', q{SELECT r.*, array(SELECT roleid::regrole FROM pg_auth_members WHERE member = r.oid)
		FROM pg_roles r WHERE rolname LIKE 'govledger%' ORDER BY 2});
}

# The update first: a role that it lacks would be there after a fresh installation.
my %updated;
for my $release (@releases)
{
	(my $database = "from_$release") =~ tr/./_/;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION govledger VERSION '$release'");
	$node->safe_psql($database, 'ALTER EXTENSION govledger UPDATE');
	$updated{$release} = $database;
}
my $roles = roles();
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION govledger');
ok(@releases > 0, 'there are released scripts');
my $fresh = catalog_of('fresh');
ok($fresh =~ $_, "the catalog has $_")
  for qr/CREATE TABLE govledger\.entry /, qr/CREATE FUNCTION govledger\.verify\(/, qr/dumped: govledger\.entry where/,
  qr/member: event trigger/, qr/GRANT SELECT\(record_root\) ON TABLE govledger\.entry/, qr/extension: \Q$current\E /;
same_catalog(catalog_of($updated{$_}), $fresh, "update from $_ equals a fresh installation") for @releases;
is(roles(), $roles, 'roles too');
$node->safe_psql('fresh', 'GRANT EXECUTE ON FUNCTION govledger.seal() TO PUBLIC; COMMENT ON TABLE govledger.seal IS NULL;
	ALTER TABLE govledger.seal ALTER height SET STATISTICS 7');
ok(catalog_of('fresh') ne $fresh, 'a difference would be seen');

# A ledger written with the SQL objects of the release and the library of now, before and after the update.
my $old = 'old';
my $sql = sub { return $node->safe_psql($old, $_[0]) };
my $seal = sub { return $sql->('SELECT govledger.seal()') };
my $needs = qr/extension in this database is of version 0\.1\.0, its library of version \Q$current\E\nDETAIL.*\nHINT:.*ALTER EXTENSION govledger UPDATE/;
$node->safe_psql('postgres', "CREATE DATABASE $old");
$sql->("CREATE EXTENSION govledger VERSION '0.1.0'");
$sql->("SELECT govledger.generate_key('$keys/key')");
$sql->('CREATE TABLE person (id int PRIMARY KEY, name text, born date);
	CREATE TABLE event (id int, at timestamptz, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (\'2026-01-01\') TO (\'2027-01-01\')');
fails_like($node, q{SELECT govledger.protect('person')}, $needs, 'protect() before the update', database => $old);

# as a release of that version left it: with triggers and rows; its protect() did what today's does
sub protect_as_released
{
	my ($arguments) = @_;
	$sql->("BEGIN; UPDATE pg_extension SET extversion = '$current' WHERE extname = 'govledger';
		SELECT govledger.protect($arguments);
		UPDATE pg_extension SET extversion = '0.1.0' WHERE extname = 'govledger'; COMMIT");
	return;
}
protect_as_released(q{'person', personal => '{name}', history => false});
protect_as_released(q{'event', history => false});
$sql->(q{INSERT INTO person SELECT i, 'name ' || i, '2000-01-01' FROM generate_series(1, 300) i});
$sql->(q{INSERT INTO event SELECT i, '2026-02-03' FROM generate_series(1, 20) i});
$sql->(qq{INSERT INTO person VALUES (1000 + $_, 'more', NULL)}) for 1 .. 3;
my @notes = ($seal->());
is($sql->(q{SELECT unsealed_entries || ' ' || unsigned_blocks FROM govledger.status}), '0 0', 'sealed and signed before the update');
fails_like($node, 'SELECT * FROM govledger.verify()', $needs, 'verify() before the update', database => $old);
fails_like($node, q{SELECT govledger.adopt('x')}, $needs, 'adopt() before the update', database => $old);
fails_like($node, q{SELECT govledger.unprotect('person', 'x')}, $needs, 'unprotect() before the update', database => $old);
$sql->(q{UPDATE person SET name = 'changed' WHERE id < 10; DELETE FROM event WHERE id = 7;
	CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')});
push @notes, $seal->();
$sql->(q{UPDATE person SET born = '1999-12-31' WHERE id = 12});	# not sealed when the update comes
my $before = $sql->('SELECT count(*), max(transaction_id::text::bigint) FROM govledger.entry');
$sql->('ALTER EXTENSION govledger UPDATE');
is($sql->('SELECT count(*), max(transaction_id::text::bigint) FROM govledger.entry'), $before, 'the update leaves the log alone');
is_clean($node, 'after the update', database => $old);
$sql->(q{INSERT INTO person VALUES (2000, 'after', NULL); INSERT INTO event VALUES (99, '2027-05-05')});
push @notes, $seal->();
is($sql->('SELECT string_agg(DISTINCT ok::text, NULL) FROM govledger.verify(against => array[' .
		join(', ', map { "\$note\$$_\n\$note\$" } @notes) . "]) WHERE check_name = 'against'"), 'true', 'checkpoints from before and after');
is_clean($node, 'goes on after the update', database => $old);
log_is_sound($node, 'updated', $old);

# The SQL objects may also be ahead of the library, until the restart.
$sql->(q{UPDATE pg_extension SET extversion = '99.1' WHERE extname = 'govledger'});
fails_like($node, 'SELECT * FROM govledger.verify()', qr/library of govledger is of version \Q$current\E, the extension.* 99\.1\n.*\nHINT:  Restart/,
	'a library older than the objects', database => $old);
$sql->('INSERT INTO person VALUES (2001, NULL, NULL)');
$node->stop;
done_testing();
