# Signing keys: made, found wanting, registered; the origin they sign under.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $node = new_ledger_node('keys', conf => "log_statement = none\n");
my $keys = key_directory();

# No key: all but signing works, and says so.
my ($status, $out, $err) = $node->psql('postgres', 'SELECT govledger.seal()');
is($status, 0, 'no key: sealing works');
is($out, '', 'no key: no checkpoint');
like($err, qr/NOTICE:  sealed but not signed: no signing key is configured\nHINT:  /, 'no key: says so');
is($node->safe_psql('postgres', 'SELECT key_state, unsigned_blocks, unsealed_entries, worker_running FROM govledger.status'),
	'none configured|1|0|f', 'no key: status');

# Making one.
fails_like($node, "SELECT govledger.generate_key('key')", qr/must be an absolute path/, 'relative path');
fails_like($node, "SELECT govledger.generate_key('" . $node->data_dir . "/global/key')",
	qr/must not lie in the data directory\nDETAIL.*\nHINT/, 'in the data directory');
fails_like($node, "SELECT govledger.generate_key('$keys/none/key')", qr/No such file or directory/, 'no such directory');
my $verifier = $node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
like($verifier, qr{\Agovledger\.invalid/\d+/\d+\+[0-9a-f]{8}\+\S{44}\z}, 'a verifier key under the default origin');
is((stat "$keys/key")[2] & 07777, 0600, 'the key file is private');
fails_like($node, "SELECT govledger.generate_key('$keys/key')", qr/File exists\nHINT/, 'an existing file');
$node->safe_psql('postgres', 'CREATE ROLE clerk LOGIN; GRANT govledger_admin TO clerk');
fails_like($node, "SELECT govledger.generate_key('$keys/other')", qr/permission denied to write a file/,
	'without pg_write_server_files', extra_params => [ '-U', 'clerk' ]);

# Keys that will not do. Entries are sealed all the same.
my $height = 1;
my $unusable = sub {
	my ($setting, $pattern, $test) = @_;
	set_system($node, 'govledger.signing_key' => $setting);
	$node->safe_psql('postgres', "SELECT govledger.note('one more')");
	fails_like($node, 'SELECT govledger.seal()', $pattern, $test);
	is($node->safe_psql('postgres', 'SELECT height, unsealed_entries FROM govledger.status'), ++$height . '|0',
		"$test: sealed all the same");
	like($node->safe_psql('postgres', 'SELECT key_state FROM govledger.status'), qr/\Aunreadable: /, "$test: status");
	return;
};
$unusable->("$keys/missing", qr/could not open signing key file .*No such file.*\nHINT:.*generate_key/, 'missing');
system_or_bail('cp', "$keys/key", "$keys/open");
chmod 0644, "$keys/open";
$unusable->("$keys/open", qr/has group or world access\nDETAIL:  Its permissions are 0644.\nHINT:/, 'too open');
system_or_bail('cp', "$keys/key", "$keys/unreadable");
chmod 0, "$keys/unreadable";
$unusable->("file:$keys/unreadable", qr/Permission denied\nHINT:/, 'unreadable') if $> != 0;
$height++ if $> == 0;
mkdir "$keys/directory", 0700;
$unusable->("$keys/directory", qr/is not a regular file/, 'a directory');
spill("$keys/garbage", 'no key');
chmod 0600, "$keys/garbage";
$unusable->("$keys/garbage", qr/holds no private key\nDETAIL:  Found nothing/, 'garbage');
system_or_bail('openssl', 'genpkey', '-quiet', '-algorithm', 'RSA', '-out', "$keys/rsa");
chmod 0600, "$keys/rsa";
$unusable->("$keys/rsa", qr/is not an Ed25519 key\nHINT/, 'RSA');
system_or_bail('openssl', 'pkey', '-in', "$keys/key", '-pubout', '-out', "$keys/public");
chmod 0600, "$keys/public";
$unusable->("$keys/public", qr/holds no private key\nDETAIL:  Found a public key/, 'public key');
system_or_bail('openssl', 'pkcs8', '-topk8', '-in', "$keys/key", '-passout', 'pass:secret', '-out', "$keys/locked");
chmod 0600, "$keys/locked";
$unusable->("$keys/locked", qr/needs a pass phrase or a PIN\nHINT/, 'encrypted');
$unusable->('pkcs11:token=none;object=none', qr/could not open the signing key through OpenSSL\nDETAIL.*\nHINT/,
	'no PKCS#11 provider');

# A PIN is refused wherever it comes from, and is in no log.
for my $statement ("ALTER SYSTEM SET govledger.signing_key = 'pkcs11:object=k?pin-value=Geheim4711'",
	"ALTER DATABASE postgres SET govledger.signing_key = 'pkcs11:object=k?PIN-Value=Geheim4711'",
	"SET govledger.signing_key = 'pkcs11:object=k?pin-source=file:Geheim4711'")
{
	fails_like($node, $statement, qr/invalid value for parameter "govledger.signing_key"\nDETAIL:.*a PIN belongs/, 'PIN');
}
fails_like($node, "SELECT govledger.rotate_key('pkcs11:object=k?pin-value=Geheim4711', 'x')", qr/invalid name of a signing key/,
	'PIN in rotate_key');
$node->append_conf('postgresql.conf', "govledger.signing_key = 'pkcs11:object=k?pin-value=Geheim4711'\n");
$node->safe_psql('postgres', 'ALTER SYSTEM RESET govledger.signing_key');
$node->reload;
wait_for_log_line($node, qr/invalid value for parameter "govledger.signing_key"(?s:.*)a PIN belongs/, 'PIN in the file');
unlike(slurp_file($node->logfile), qr/Geheim4711/, 'no PIN in the log');
fails_like($node, "SET govledger.signing_key = 'key'", qr/absolute path/, 'relative key');
$node->append_conf('postgresql.conf', "govledger.signing_key = ''\n");
$node->reload;

# The first key registers itself, in the block it signs first.
set_system($node, 'govledger.signing_key' => "file:$keys/key");
my $note = $node->safe_psql('postgres', 'SELECT govledger.seal()');
note_is_signed($note, $verifier, 'first checkpoint');
is($node->safe_psql('postgres', 'SELECT key_state, unsigned_blocks, last_error FROM govledger.status'), 'registered|0|',
	'status is well again');
is($node->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key'), $verifier, 'the key is registered');
is($node->safe_psql('postgres', 'SELECT govledger.seal()'), $note, 'nothing new: the same checkpoint');
is($node->safe_psql('postgres', "SELECT notes FROM (SELECT string_agg(note, '') AS notes FROM govledger.checkpoint) c"),
	$note, 'one checkpoint, and it is in its table');

# Another key is not used, and the right one comes back.
$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/second')");
set_system($node, 'govledger.signing_key' => "$keys/second");
$node->safe_psql('postgres', "SELECT govledger.note('x')");
fails_like($node, 'SELECT govledger.seal()', qr/names another key than the registered one\nDETAIL.*\nHINT.*rotate_key/, 'wrong key');
like($node->safe_psql('postgres', 'SELECT key_state FROM govledger.status'), qr/\Awrong: /, 'wrong key: status');
set_system($node, 'govledger.signing_key' => "$keys/key");
note_is_signed($node->safe_psql('postgres', 'SELECT govledger.seal()'), $verifier, 'right key');

# The origin is pinned.
for my $origin ('a b', 'a+b', "\xc3\xa4", 'x' x 256)
{
	fails_like($node, "ALTER DATABASE postgres SET govledger.origin = '$origin'", qr/invalid value for parameter/, 'bad origin');
}
$node->safe_psql('postgres', "ALTER DATABASE postgres SET govledger.origin = 'example.org/late'");
$node->safe_psql('postgres', "SELECT govledger.note('y')");
fails_like($node, 'SELECT govledger.seal()', qr/origin was changed after the first seal\nDETAIL.*\nHINT.*back to/, 'origin changed');
is($node->safe_psql('postgres', 'SELECT unsealed_entries FROM govledger.status'), '1', 'commits go on meanwhile');
like($node->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), qr/origin was changed/, 'status says why');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET govledger.origin');
$node->safe_psql('postgres', 'SELECT govledger.seal()');

# A second ledger in the cluster has an origin of its own, and may use the same key.
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('postgres', "ALTER DATABASE second SET govledger.origin = 'example.org/second'");
$node->safe_psql('second', "CREATE EXTENSION govledger; CREATE TABLE u (id int PRIMARY KEY); SELECT govledger.protect('u')");
my $second = $node->safe_psql('second', 'SELECT govledger.seal()');
note_is_signed($second, $node->safe_psql('second', 'SELECT verifier_key FROM govledger.signing_key'), 'second ledger');
like($second, qr{\Aexample\.org/second\n}, 'the configured origin');
is(scalar(split /\n/, slurp_file("$keys/key.state")), 3, 'one state file for both');

# Who may see how the sealer is.
for my $role (qw(pg_monitor govledger_auditor govledger_admin))
{
	is($node->safe_psql('postgres', "SET ROLE $role; SELECT key_state FROM govledger.status"), 'registered', "$role sees it");
}
fails_like($node, 'SET ROLE govledger_public; SELECT * FROM govledger.status', qr/permission denied/, 'others do not');
fails_like($node, 'SET ROLE pg_monitor; SELECT govledger.seal()', qr/permission denied/, 'nor may they seal');

# What is published, as a tool reads it that logs in as a member of govledger_public: the notes, what they say, and the keys.
$node->safe_psql('postgres', 'CREATE ROLE bi_reader LOGIN IN ROLE govledger_public');
my $published = sub { return $node->safe_psql('postgres', $_[0], extra_params => [ '-U', 'bi_reader' ]) };
is($published->("SELECT string_agg(note, '' ORDER BY tree_size) FROM govledger.published_checkpoint"),
	$node->safe_psql('postgres', "SELECT string_agg(note, '' ORDER BY tree_size) FROM govledger.checkpoint"), 'every checkpoint');
my ($origin, $size, $root) = split /\n/, $published->('SELECT note FROM govledger.published_checkpoint ORDER BY tree_size DESC LIMIT 1');
is($published->(q{SELECT origin, tree_size, encode(root, 'base64') FROM govledger.published_checkpoint ORDER BY tree_size DESC LIMIT 1}),
	"$origin|$size|$root", 'origin, tree size and root are those of the note');
is($published->('SELECT verifier_key, replaced_at IS NULL FROM govledger.published_key'), "$verifier|t", 'the key');
is($published->('SELECT table_name FROM govledger.published_table'), '', 'no public table');
fails_like($node, 'SELECT * FROM govledger.checkpoint', qr/permission denied/, 'and nothing else', extra_params => [ '-U', 'bi_reader' ]);

# A role that was here first keeps what it has, and that is said.
$node->safe_psql('postgres', 'ALTER ROLE govledger_peer LOGIN CREATEROLE; CREATE DATABASE third');
like(($node->psql('third', 'CREATE EXTENSION govledger'))[2], qr/WARNING:  role "govledger_peer" was here before govledger.*\nHINT:/, 'planted role');
$node->safe_psql('postgres', 'ALTER ROLE govledger_peer NOLOGIN NOCREATEROLE');

log_is_sound($node, 'first ledger');
log_is_sound($node, 'second ledger', 'second');
done_testing();
