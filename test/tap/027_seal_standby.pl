# Standbys: nothing is sealed there, nothing is signed that a synchronous one lacks, and a promoted one is another epoch.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $keys = key_directory();
my $primary = new_ledger_node('primary', init => { allows_streaming => 1 });
my $seal = 'SELECT govledger.seal()';

$primary->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($primary, 'govledger.signing_key' => "$keys/key");
$primary->safe_psql('postgres', $seal);
my $verifier = $primary->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key');
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

fails_like($standby, $seal, qr/cannot seal or sign during recovery\nHINT/, 'seal() on a standby');
fails_like($standby, 'SELECT govledger.wait_sealed()', qr/during recovery/, 'wait_sealed() on a standby');
fails_like($standby, q{SELECT govledger.rotate_key('/x', 'y')}, qr/during recovery/, 'rotate_key() on a standby');
fails_like($standby, q{SELECT govledger.adopt('x')}, qr/during recovery/, 'adopt() on a standby');
is($standby->safe_psql('postgres', 'SELECT * FROM govledger.status') =~ s/\|[^|]*\z//r,
	$primary->safe_psql('postgres', 'SELECT * FROM govledger.status') =~ s/\|[^|]*\z//r, 'status on a standby');
is($standby->safe_psql('postgres', 'SELECT govledger.inclusion_proof(0, 3)'),
	$primary->safe_psql('postgres', 'SELECT govledger.inclusion_proof(0, 3)'), 'proofs on a standby');

# A synchronous standby that is away.
set_system($primary, 'synchronous_standby_names' => '*');
$primary->poll_query_until('postgres', q{SELECT sync_state = 'sync' FROM pg_stat_replication}) or die 'not synchronous';
$primary->safe_psql('postgres', "SELECT govledger.note('together')");
note_is_signed($primary->safe_psql('postgres', $seal), $verifier, 'with the standby');
$standby->stop;
$primary->safe_psql('postgres', "SET synchronous_commit = local; SELECT govledger.note('alone')");
my $checkpoints = $primary->safe_psql('postgres', 'SELECT count(*) FROM govledger.checkpoint');
my $session = $primary->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/begun/, "\\echo begun\n$seal;\n\\echo over\n");
my $waits = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'govledger one%' AND wait_event = 'SyncRep'};
ok($primary->poll_query_until('postgres', $waits), 'the seal waits for the standby');
is($primary->safe_psql('postgres', 'SELECT count(*) FROM govledger.checkpoint'), $checkpoints, 'and is not signed');
$primary->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type LIKE 'govledger one%'});
ok($primary->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'govledger one%'}),
	'cancelled');
is($primary->safe_psql('postgres', 'SELECT count(*) FROM govledger.checkpoint'), $checkpoints, 'cancelled: not signed');
my ($status, $out, $err) = $primary->psql('postgres', $seal);
is("$status|$out", '0|', 'nor later');
like($err, qr/NOTICE:  sealed but not signed: the synchronous standby has not confirmed the seal yet/, 'says why');
is($primary->safe_psql('postgres', 'SELECT unsigned_blocks FROM govledger.status'), '1', 'it is counted');
$standby->start;
$primary->wait_for_catchup($standby);
note_is_signed($primary->safe_psql('postgres', $seal), $verifier, 'when the standby is back');
$session->quit;
set_system($primary, 'synchronous_standby_names' => '');

# Promotion.
$primary->wait_for_catchup($standby);
$primary->stop;
$standby->append_conf('postgresql.conf', "govledger.databases = ''\n");
$standby->reload;
$standby->promote;
$standby->safe_psql('postgres', "SELECT govledger.note('on the new primary')");
is($standby->safe_psql('postgres', q{SELECT govledger.wait_sealed('20 s')}), 't', 'the worker starts with the promotion');
my $epochs = q{SELECT string_agg(DISTINCT encode(substring(content FROM get_byte(content, 4) + 10 FOR 4), 'hex'), ',')
	FROM govledger.seal};
is($standby->safe_psql('postgres', $epochs), '00000001,00000002', 'a new timeline is a new epoch');
is($standby->safe_psql('postgres', 'SELECT generation FROM govledger.status'), '1', 'of the same generation');
log_is_sound($standby, 'promoted');

# The old primary comes back and goes on by itself: the key remembers.
$primary->start;
$primary->safe_psql('postgres', "SELECT govledger.note('on the old primary')");
fails_like($primary, $seal, qr/refusing to sign/, 'a returning old primary');
done_testing();
