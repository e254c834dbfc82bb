# Promotion, switchover and back, point-in-time recovery, copies that run beside the original: who may sign, and what is provable.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;
use sealtest;

my $keys = key_directory();
my $seal = 'SELECT govledger.seal()';
my $one = new_ledger_node('one', init => { allows_streaming => 1, has_archiving => 1 },
	conf => "govledger.origin = 'example.org/log'\nwal_log_hints = on\nwal_keep_size = 256MB\nautovacuum = off\n");
my @notes;
my $number = 0;

sub write_on { my ($node) = @_; $number++; return $node->safe_psql('postgres', "INSERT INTO t VALUES ($number, 'on ${\$node->name}')") }
sub seal_on { my ($node) = @_; write_on($node); push @notes, $node->safe_psql('postgres', $seal); return $notes[-1] }
sub timelines
{
	my ($node) = @_;
	# epoch and timeline of each seal (src/format/README.md section 7), in order
	my $number = q{('x' || encode(substring(content FROM get_byte(content, 4) + %d FOR 4), 'hex'))::bit(32)::int};
	return $node->safe_psql('postgres', sprintf(
		"SELECT string_agg(place, ' ' ORDER BY first) FROM (SELECT format('%%s/%%s', $number, $number) AS place, min(height) AS first
		 FROM govledger.seal GROUP BY 1) p", 10, 110));
}

# Every checkpoint so far holds; run where it can be, also on a standby.
sub all_hold
{
	my ($node, $test, @given) = @_;
	@given = @notes unless @given;
	is($node->safe_psql('postgres', 'SELECT * FROM govledger.verify(against => ARRAY[' . join(', ', map { "\$note\$$_\$note\$" } @given) . ']) WHERE NOT ok'),
		'', "$test: verify, against all checkpoints");
	return;
}

$one->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($one, 'govledger.signing_key' => "$keys/key");
seal_on($one) for 1 .. 3;

# A standby takes over, with sealing by its worker; the old primary is out, then follows, then takes over again.
$one->backup('backup');
my $two = PostgreSQL::Test::Cluster->new('two');
$two->init_from_backup($one, 'backup', has_streaming => 1);
$two->start;
seal_on($one);
$one->wait_for_catchup($two);
all_hold($two, 'on the standby');
$one->safe_psql('postgres', 'CHECKPOINT');
$one->stop('immediate');
$two->append_conf('postgresql.conf', "govledger.databases = ''\n");
$two->reload;
$two->promote;
write_on($two);
is($two->safe_psql('postgres', q{SELECT govledger.wait_sealed('60 s')}), 't', 'the new primary seals and signs');
push @notes, $two->safe_psql('postgres', 'SELECT note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1');
all_hold($two, 'promoted');
is(timelines($two), '1/1 2/2', 'a new epoch with the new timeline');
$one->start;
write_on($one);
fails_like($one, $seal, qr/refusing to sign/, 'the old primary');
$one->stop;
command_ok([ 'pg_rewind', '--target-pgdata', $one->data_dir, '--source-server', $two->connstr('postgres'), '--no-sync' ], 'pg_rewind');
$one->append_conf('postgresql.conf', "port = ${\$one->port}\nunix_socket_directories = '${\$one->host}'\nprimary_conninfo = '${\$two->connstr}'\ngovledger.databases = 'nowhere'\n");
$one->set_standby_mode;
$one->start;
write_on($two);
$two->safe_psql('postgres', q{SELECT govledger.wait_sealed('60 s')});
push @notes, $two->safe_psql('postgres', 'SELECT note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1');
$two->wait_for_catchup($one);
all_hold($one, 'the old primary, rewound');
$two->stop;	# a clean one: the standby has everything
$one->promote;
seal_on($one);
is(timelines($one), '1/1 2/2 3/3', 'and back: the next epoch');
all_hold($one, 'switched back');
is_clean($one, 'switched back');
log_is_sound($one, 'switched back');

# Copies of the files beside the original: same system identifier, same timeline.
$one->safe_psql('postgres', 'CHECKPOINT');
$one->backup('copy');
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($one, 'copy');
$copy->start;
write_on($copy);
fails_like($copy, $seal, qr/refusing to sign: another data directory of this cluster signed last\nDETAIL.*\nHINT:.*remove the file/,
	'a copy that runs beside its original');
is($copy->safe_psql('postgres', 'SELECT unsealed_entries, unsigned_blocks FROM govledger.status'), '0|1', 'it seals, unsigned');
seal_on($one);
note_is_signed($notes[-1], $one->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key'), 'the original goes on');
fails_like($copy, $seal, qr/refusing to sign: (?:this database lacks|the log differs)/, 'the copy is behind for good');
$copy->stop;
# moved: the other one is gone, and the DBA says so
$one->stop;
my $moved = PostgreSQL::Test::Cluster->new('moved');
system_or_bail('cp', '-a', $one->data_dir, $moved->basedir . '/moved');
system_or_bail('rm', '-rf', $moved->data_dir);
rename $moved->basedir . '/moved', $moved->data_dir or die;
$moved->append_conf('postgresql.conf', "port = ${\$moved->port}\nunix_socket_directories = '${\$moved->host}'\n");
$moved->start;
write_on($moved);
fails_like($moved, $seal, qr/another data directory/, 'a data directory that was moved');
unlink "$keys/key.state.home" or die;
push @notes, $moved->safe_psql('postgres', $seal);
all_hold($moved, 'moved');
$moved->stop;
$one->start;
write_on($one);
fails_like($one, $seal, qr/refusing to sign/, 'the place it came from');
$one->stop;
$moved->start;

# Point-in-time recovery, before anything is lost and after.
my $archive = $one->archive_dir;
$moved->safe_psql('postgres', 'CHECKPOINT');
$moved->backup('base');
seal_on($moved);
my $kept = @notes;
$moved->safe_psql('postgres', q{SELECT pg_create_restore_point('here')});
seal_on($moved);
$moved->safe_psql('postgres', 'SELECT pg_switch_wal()');
$moved->poll_query_until('postgres', q{SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) OR archived_count > 0 AND
	last_archived_wal = (SELECT max(name) FROM pg_ls_waldir() WHERE name < pg_walfile_name(pg_current_wal_lsn()) AND length(name) = 24) FROM pg_stat_archiver})
  or die 'not archived';
$moved->stop;

sub recover_to
{
	my ($name, $target) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($moved, 'base');
	$node->append_conf('postgresql.conf', "restore_command = 'cp $archive/%f %p'\nrecovery_target_action = 'promote'\narchive_mode = off\n$target\n");
	$node->set_recovery_mode;
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no promotion';
	return $node;
}
my $whole = recover_to('whole', '');
seal_on($whole);
is(timelines($whole), '1/1 2/2 3/3 4/4', 'recovery of all WAL: the log goes on, in the next epoch');
all_hold($whole, 'recovery of all WAL');
is_clean($whole, 'recovery of all WAL');
$whole->stop;
my $past = recover_to('past', "recovery_target_name = 'here'");
write_on($past);
fails_like($past, $seal, qr/refusing to sign: .*\nDETAIL.*\nHINT:.*start_successor/, 'recovery to a time before what was signed');
$past->append_conf('postgresql.conf', "govledger.databases = ''\n");
$past->reload;
$past->poll_query_until('postgres', 'SELECT worker_running FROM govledger.status') or die 'no worker';
is($past->safe_psql('postgres', q{SELECT govledger.start_successor('a table was dropped by mistake')}), 'example.org/log/2', 'a successor');
write_on($past);
is($past->safe_psql('postgres', q{SELECT govledger.wait_sealed('60 s')}), 't', 'the worker changes to the new log');
like($past->safe_psql('postgres', 'SELECT note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1'), qr{\Aexample.org/log/2\n}, 'and signs it');
is($past->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), '', 'no error is left');
all_hold($past, 'recovered to a time', @notes[ 0 .. $kept - 1 ]);
is_clean($past, 'recovered to a time');
log_is_sound($past, 'recovered to a time');

# Databases that are copied, renamed and dropped inside a cluster.
$past->safe_psql('template1', 'CREATE DATABASE twin TEMPLATE postgres');
fails_like($past, q{INSERT INTO t VALUES (9999, 'x')}, qr/is not the one that holds the ledger/, 'a copy by TEMPLATE', database => 'twin');
# with the key it would continue the original's log, and only one of the two can
$past->safe_psql('twin', q{ALTER DATABASE twin SET govledger.signing_key = ''});
is($past->safe_psql('twin', q{SELECT govledger.adopt('training')}), '3', 'adopts');
$past->safe_psql('twin', q{INSERT INTO t VALUES (9999, 'x')});
$past->safe_psql('template1', 'ALTER DATABASE postgres RENAME TO renamed');
$past->safe_psql('renamed', q{INSERT INTO t VALUES (9998, 'y')});
is($past->safe_psql('renamed', q{SELECT govledger.wait_sealed('60 s')}), 't', 'renamed: the log goes on');
is_clean($past, 'renamed', database => 'renamed');
is_clean($past, 'twin', database => 'twin');
$past->safe_psql('renamed', 'DROP DATABASE twin');
done_testing();
