# The key is replaced: by itself, or because it is lost.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $node = new_ledger_node('rotation');
my $keys = key_directory();
my %verifier;
my $checkpoints = q{SELECT string_agg(to_hex(key_id), ',' ORDER BY tree_size) FROM govledger.checkpoint};
my $note = sub { return $node->safe_psql('postgres', "SELECT govledger.note('x')"); };

for my $name (qw(one two three))
{
	$verifier{$name} = $node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/$name')");
}
my %id = map { $_ => ($verifier{$_} =~ /\+0*([0-9a-f]+)\+/)[0] } keys %verifier;

fails_like($node, "SELECT govledger.rotate_key('$keys/two', 'yearly')", qr/no signing key is registered yet.*\nHINT/, 'too early');
set_system($node, 'govledger.signing_key' => "$keys/one");
$node->safe_psql('postgres', 'SELECT govledger.seal()');

fails_like($node, "SELECT govledger.rotate_key('$keys/two', ' ')", qr/a reason for the key change must be given/, 'no reason');
fails_like($node, "SELECT govledger.rotate_key('$keys/none', 'x')", qr/could not open signing key file/, 'no such key');
fails_like($node, "SELECT govledger.rotate_key('$keys/one', 'x')", qr/was registered before\nHINT/, 'the same key');
$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT govledger_admin TO clerk');
fails_like($node, "SELECT govledger.rotate_key('$keys/two', 'x')", qr/permission denied to name a file/, 'admin alone',
	extra_params => [ '-U', 'clerk' ]);
$node->safe_psql('postgres', 'GRANT pg_read_server_files TO clerk');

# The block that holds the record of the change is the last one that the old key signs.
$note->();
my ($status, $out, $err) = $node->psql('postgres', "SELECT govledger.rotate_key('$keys/two', 'yearly')",
	extra_params => [ '-U', 'clerk' ]);
is($out, $verifier{two}, 'the new verifier key');
like($err, qr/NOTICE:  the new key signs from now on\nHINT/, 'what to do next');
is($node->safe_psql('postgres', $checkpoints), "$id{one},$id{one}", 'the old key signed the change');
is($node->safe_psql('postgres', 'SELECT count(*), count(replaced_at) FROM govledger.signing_key'), '2|1', 'signing_key');
note_is_signed($node->safe_psql('postgres', 'SELECT note FROM govledger.checkpoint ORDER BY tree_size DESC LIMIT 1'),
	$verifier{one}, 'last of the old key');

$note->();
fails_like($node, 'SELECT govledger.seal()', qr/names another key.*\n.*\nHINT:  That key was replaced/, 'old key, new block');
set_system($node, 'govledger.signing_key' => "$keys/two");
note_is_signed($node->safe_psql('postgres', 'SELECT govledger.seal()'), $verifier{two}, 'first of the new key');
fails_like($node, "SELECT govledger.rotate_key('$keys/one', 'back')", qr/was registered before/, 'an old key does not return');

# The key is gone: the new one speaks for itself, and the record says so.
unlink "$keys/two";
$note->();
fails_like($node, 'SELECT govledger.seal()', qr/could not open signing key file/, 'lost');
fails_like($node, "SELECT govledger.rotate_key('$keys/three', 'fire')", qr/could not open signing key file/, 'lost, not said');
is($node->safe_psql('postgres', "SELECT govledger.rotate_key('$keys/three', 'fire', lost => true)"), $verifier{three}, 'lost, said');
is($node->safe_psql('postgres', $checkpoints), "$id{one},$id{one},$id{two},$id{three}", 'the new key signs the change');
set_system($node, 'govledger.signing_key' => "$keys/three");
$note->();
note_is_signed($node->safe_psql('postgres', 'SELECT govledger.seal()'), $verifier{three}, 'and what follows');

# A rotation that is cut off leaves no lock behind.
$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/four')");
my $blocker = $node->background_psql('postgres');
$blocker->query_safe('BEGIN; LOCK TABLE govledger.checkpoint IN EXCLUSIVE MODE');
fails_like($node, "SET statement_timeout = '500ms'; SELECT govledger.rotate_key('$keys/four', 'slow')", qr/statement timeout/,
	'cut off');
$blocker->query_safe('COMMIT');
$blocker->quit;
set_system($node, 'govledger.signing_key' => "$keys/four");
my $four = $node->safe_psql('postgres', "SELECT verifier_key FROM govledger.signing_key WHERE replaced_at IS NULL");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'govledger one%'}),
	'its process is gone');
note_is_signed($node->safe_psql('postgres', 'SELECT govledger.seal()'), $four, 'the new key signs the block that is left');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND mode = 'ExclusiveLock'}), '0',
	'no lock is left');

# Who asked is in the log.
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM govledger.entry WHERE claimed IS NOT NULL AND encode(claimed, 'escape') LIKE '%clerk%yearly%'"),
	'1', 'the record names who asked');
log_is_sound($node, 'three keys');
done_testing();
