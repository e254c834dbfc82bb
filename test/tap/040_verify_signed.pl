# verify() against what is signed: checkpoints, keys, and checkpoints that somebody kept.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $keys = key_directory();
my $node = new_ledger_node('signed', init => { allows_streaming => 1 });
my $findings = q{SELECT check_name, regexp_replace(object, '\d+', 'N'), regexp_replace(regexp_replace(detail, 'key [0-9a-f]{8}', 'key K', 'g'), '\m\d+\M', 'N', 'g') FROM govledger.verify(%s) WHERE NOT ok};

# The findings of a verification inside a transaction that does this first and is rolled back.
sub finds
{
	my ($tampering, $expected, $test, $arguments) = @_;
	my $sql = sprintf $findings, $arguments // '';
	is($node->safe_psql('postgres', "BEGIN; $tampering; $sql; ROLLBACK"), $expected, $test);
	return;
}

sub seal { return $node->safe_psql('postgres', 'SELECT govledger.seal()') }

sub quoted
{
	my ($note) = @_;
	return "\$note\$$note\$note\$";
}

# An unsigned log says so and is whole.
$node->safe_psql('postgres', q{INSERT INTO t VALUES (1, 'one')});
seal();
is($node->safe_psql('postgres', q{SELECT check_name, ok, detail FROM govledger.verify() WHERE check_name IN ('key', 'checkpoint') OR NOT ok}),
	"checkpoint|t|0 checkpoints are signed by a key of this log and match the tree\n"
	  . 'key|t|no signing key is registered: nothing is signed', 'without a key');

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/first'); SELECT govledger.generate_key('$keys/second')");
set_system($node, 'govledger.signing_key' => "$keys/first");
my @notes;
for my $i (2 .. 5)
{
	$node->safe_psql('postgres', "INSERT INTO t VALUES ($i, 'row $i'); UPDATE t SET v = v || '+'");
	push @notes, seal();
}
finds('SELECT', '', 'a signed log');
my @sizes = map { (split /\n/)[1] } @notes;

# Checkpoints
finds("UPDATE govledger.checkpoint SET note = " . quoted($notes[0]) . " WHERE tree_size = $sizes[1]",
	'checkpoint|checkpoint N|its note is about a tree of N leaves', 'a note of another size');
like($node->safe_psql('postgres', "BEGIN; UPDATE govledger.checkpoint SET note = overlay(note PLACING 'AAAA' FROM length(note) - 20)"
		. " WHERE tree_size = $sizes[1]; " . sprintf($findings, '') . '; ROLLBACK'),
	qr/\Acheckpoint\|checkpoint N\|its signature by key K is false\z/, 'a changed signature');
like($node->safe_psql('postgres', "BEGIN; UPDATE govledger.checkpoint SET note = replace(note, split_part(note, E'\\n', 3), 'AAAA' || substr(split_part(note, E'\\n', 3), 5))"
		. " WHERE tree_size = $sizes[1]; " . sprintf($findings, '') . '; ROLLBACK'),
	qr/\Acheckpoint\|checkpoint N\|its signature by key K is false\z/, 'a changed root');
finds("UPDATE govledger.checkpoint SET note = 'nothing' WHERE tree_size = $sizes[1]",
	'checkpoint|checkpoint N|its note is no checkpoint', 'no note at all');
finds("UPDATE govledger.checkpoint SET key_id = 1 WHERE tree_size = $sizes[1]",
	'checkpoint|checkpoint N|it names key K, which the log does not know', 'another key id');
finds("INSERT INTO govledger.checkpoint SELECT tree_size + 1, signed_at, key_id, note FROM govledger.checkpoint WHERE tree_size = $sizes[1]",
	'checkpoint|checkpoint N|no seal ends the tree at N leaves: the log was rewritten or rolled back', 'a checkpoint too many');
finds("DELETE FROM govledger.checkpoint WHERE tree_size = $sizes[-1]", '', 'the newest one missing is no finding');
is($node->safe_psql('postgres', "BEGIN; DELETE FROM govledger.checkpoint WHERE tree_size >= $sizes[2];"
		. " SELECT substring(detail, '; .*') FROM govledger.verify() WHERE check_name = 'checkpoint'; ROLLBACK"),
	'; the newest 2 seals are not signed yet', 'but told');
# The checkpoint tells on whoever rewrote seals and edges too.
like($node->safe_psql('postgres', "BEGIN; UPDATE govledger.seal SET right_edge = sha256('') || substr(right_edge, 33), root = sha256('') WHERE tree_size = $sizes[-1]; "
		. sprintf($findings, '') . '; ROLLBACK'),
	qr/column root was changed\n.*column right_edge was changed\z/, 'root and edge');

# Keys
my $key_finding = $node->safe_psql('postgres', "BEGIN; DELETE FROM govledger.signing_key; " . sprintf($findings, '') . '; ROLLBACK');
like($key_finding, qr/\Akey\|key [0-9a-fN]+\|the log knows it and it is not in signing_key\z/, 'a key taken out of the table');
like($node->safe_psql('postgres', "BEGIN; UPDATE govledger.signing_key SET verifier_key = 'x'; " . sprintf($findings, '') . '; ROLLBACK'),
	qr/\Akey\|[^|]*\|signing_key has another verifier key than the log\z/, 'another verifier key');
like($node->safe_psql('postgres', "BEGIN; UPDATE govledger.signing_key SET replaced_at = now(); " . sprintf($findings, '') . '; ROLLBACK'),
	qr/\Akey\|[^|]*\|signing_key says it was replaced, the log does not\z/, 'replaced, says the table');
like($node->safe_psql('postgres', "BEGIN; INSERT INTO govledger.signing_key VALUES (77, 'x'); " . sprintf($findings, '') . '; ROLLBACK'),
	qr/\Akey\|[^|]*\|it is in signing_key and the log does not know it\z/, 'a key from nowhere');

# Rotation: the old signatures stay good.
$node->safe_psql('postgres', "SELECT govledger.rotate_key('$keys/second', 'test')");
set_system($node, 'govledger.signing_key' => "$keys/second");
$node->safe_psql('postgres', q{INSERT INTO t VALUES (20, 'after rotation')});
push @notes, seal();
push @sizes, (split /\n/, $notes[-1])[1];
finds('SELECT', '', 'after a rotation');

# Checkpoints that somebody kept
is($node->safe_psql('postgres', 'SELECT object, ok FROM govledger.verify(against => ARRAY['
		. join(',', map { quoted($_) } @notes) . "]) WHERE check_name = 'against' OR NOT ok"),
	join("\n", map { "checkpoint $_|t" } @sizes), 'all earlier checkpoints agree');
is($node->safe_psql('postgres', 'SELECT object, ok FROM govledger.verify(since => ' . ($sizes[2] + 1) . ', against => ARRAY['
		. join(',', map { quoted($_) } @notes) . "]) WHERE check_name = 'against' OR NOT ok"),
	join("\n", map { "checkpoint $_|t" } @sizes), 'and with since');
finds('SELECT', 'against|checkpoint N|it is no checkpoint', 'what is none', "against => ARRAY['hello']");
my $foreign = $notes[1] =~ s/\A[^\n]+/example.org/r;
finds('SELECT', 'against|checkpoint N|it is of another log: example.org', 'of another log', 'against => ARRAY[' . quoted($foreign) . ']');
(my $forged = $notes[1]) =~ s/(\n\d)/${1}1/;
like($node->safe_psql('postgres', sprintf($findings, 'against => ARRAY[' . quoted($forged) . ']')),
	qr/\Aagainst\|checkpoint N\|its signature by key K is false\z/, 'a forged one');

# A DBA with the key: the same cluster, as it was three blocks ago, goes another way. Its log is whole in itself.
$node->backup('earlier');
my $kept = seal_after($node, q{UPDATE t SET v = 'the truth' WHERE id = 1});
my $kept_more = seal_after($node, q{UPDATE t SET v = 'more of it' WHERE id = 2});
my $liar = PostgreSQL::Test::Cluster->new('liar');
spill("$keys/forgotten", "govledger signer state v1\n" . (split /\n/, $kept)[0] . " 0 -\n");
chmod 0600, "$keys/forgotten";
$liar->init_from_backup($node, 'earlier');
$liar->append_conf('postgresql.conf', "govledger.signer_state_file = '$keys/forgotten'\n");
$liar->start;
is($liar->safe_psql('postgres', sprintf($findings, 'against => ARRAY[' . quoted($kept) . ']')),
	'against|checkpoint N|it signs a tree of N leaves, this log has N: the log was rolled back or rewritten', 'rolled back');
is($liar->safe_psql('postgres', 'SELECT detail FROM govledger.verify(since => ' . (split /\n/, $kept)[1] . ") WHERE NOT ok") =~ s/\b\d+\b/N/gr,
	'the caller knows a tree of N leaves, this log has N: it was rolled back or rewritten', 'rolled back, by the size alone');
my $lie = seal_after($liar, q{UPDATE t SET v = 'a lie' WHERE id = 1});
seal_after($liar, q{UPDATE t SET v = 'more lies' WHERE id = 2});
is((split /\n/, $lie)[1], (split /\n/, $kept)[1], 'same size');
is($liar->safe_psql('postgres', sprintf($findings, '')), '', 'the rewritten log is whole in itself');
is($liar->safe_psql('postgres', sprintf($findings, 'against => ARRAY[' . join(',', map { quoted($_) } @notes) . ']')), '',
	'and agrees with what was signed before');
is($liar->safe_psql('postgres', sprintf($findings, 'against => ARRAY[' . quoted($kept) . ', ' . quoted($kept_more) . ']')),
	"against|checkpoint N|it signs another tree of N leaves: the log was rewritten\n"
	  . 'against|checkpoint N|it signs another tree of N leaves: the log was rewritten', 'a kept checkpoint convicts it');
is($liar->safe_psql('postgres', sprintf($findings, 'since => ' . (split /\n/, $kept)[1] . ', against => ARRAY[' . quoted($kept) . ']')),
	'against|checkpoint N|it signs another tree of N leaves: the log was rewritten', 'with since too');
done_testing();

sub seal_after
{
	my ($server, $statement) = @_;
	$server->safe_psql('postgres', $statement);
	return $server->safe_psql('postgres', 'SELECT govledger.seal()');
}
