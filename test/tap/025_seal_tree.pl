# Large blocks, tiles, proofs.
use strict;
use warnings;
use lib 'test/tap';
use Digest::SHA qw(sha256);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $node = new_ledger_node('tree', conf => "synchronous_commit = off\nwork_mem = 64kB\n");
my $keys = key_directory();
my $entries = sub {
	my ($count) = @_;
	return $node->safe_psql('postgres',
		"DO \$\$ BEGIN FOR i IN 1..$count LOOP PERFORM govledger.note('x'); COMMIT; END LOOP; END \$\$");
};
my $hashes = sub { return map { pack 'H*', $_ } split /,/, $node->safe_psql('postgres', "SELECT array_to_string(ARRAY(SELECT encode(h, 'hex') FROM unnest($_[0]) h), ',')"); };

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");

# Edges: trees that end just before, at and after a full tile, by processes that remember nothing of each other.
$node->safe_psql('postgres', 'SELECT govledger.seal()');
my $size = $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.status');
for my $target (254, 256, 258, 511, 513)
{
	$entries->($target - $size - 1);
	$node->safe_psql('postgres', 'SELECT govledger.seal()');
	$size = $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.status');
	is($size, $target, "a tree of $target leaves");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM govledger.tile'), int($target / 256), 'its full tiles');
}
log_is_sound($node, 'small trees');

# Past a full tile of tiles, in one block, with little memory.
$entries->(66000);
is($node->safe_psql('postgres', 'SELECT unsealed_entries FROM govledger.status'), '66000', 'a backlog');
$node->safe_psql('postgres', 'SELECT govledger.seal()');
$entries->(100);
$node->safe_psql('postgres', 'SELECT govledger.seal()');
$size = $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.status');
is($node->safe_psql('postgres', 'SELECT level, count(*) FROM govledger.tile GROUP BY 1 ORDER BY 1'),
	'0|' . int($size / 256) . "\n1|1", 'tiles of two levels');
cmp_ok($node->safe_psql('postgres', 'SELECT max(cardinality(transaction_ids)) FROM govledger.leaf'), '<=', 1000, 'leaf rows are bounded');
log_is_sound($node, 'a large tree');

# Any leaf is provable in any tree, and every tree continues every earlier one.
my @sizes = split /\n/, $node->safe_psql('postgres', 'SELECT tree_size FROM govledger.seal ORDER BY 1');
my %root = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT tree_size, encode(root, 'hex') FROM govledger.seal});
my @leaf;
for my $at (@sizes)
{
	my $content = $node->safe_psql('postgres', "SELECT encode(content, 'hex') FROM govledger.seal WHERE tree_size = $at");
	push @leaf, [ $at - 1, sha256("\0" . pack 'H*', $content) ];
}
my $wrong = 0;
for my $leaf (@leaf)
{
	for my $in (@sizes)
	{
		next if $leaf->[0] >= $in;
		my $found = inclusion_root($leaf->[0], $in, $leaf->[1], $hashes->("govledger.inclusion_proof($leaf->[0], $in)"));
		$wrong++ unless defined $found && unpack('H*', $found) eq $root{$in};
	}
}
is($wrong, 0, 'inclusion of every seal in every later tree');
my %tile;
my $node_hash = sub {
	my ($level, $index) = @_;
	my ($tile_level, $sub) = (int($level / 8), $level % 8);
	my $n = ($index << $sub) >> 8;
	my $width = ($size >> (8 * $tile_level)) - $n * 256;
	$width = 256 if $width > 256;
	$tile{"$tile_level/$n"} //=
	  pack 'H*', $node->safe_psql('postgres', "SELECT encode(govledger.tile($tile_level, $n, $width), 'hex')");
	my @h = unpack '(a32)*', substr($tile{"$tile_level/$n"}, 32 * (($index << $sub) & 255), 32 << $sub);
	@h = map { sha256("\x01$h[2 * $_]$h[2 * $_ + 1]") } 0 .. @h / 2 - 1 while @h > 1;
	return $h[0];
};
$wrong = 0;
for my $at (@sizes)
{
	my ($hash, $end) = (undef, $at);
	for my $level (0 .. 20)
	{
		next unless $at >> $level & 1;
		$end -= 1 << $level;
		my $left = $node_hash->($level, $end >> $level);
		$hash = defined $hash ? sha256("\x01$left$hash") : $left;
	}
	$wrong++ unless unpack('H*', $hash) eq $root{$at};
}
is($wrong, 0, 'the tiles give the root of every tree');
my @path = $hashes->("govledger.consistency_proof(513, $size)");
ok(@path > 5 && @path < 30, 'a consistency proof');
is($node->safe_psql('postgres', "SELECT govledger.consistency_proof($size, $size)"), '{}', 'of a tree with itself');
is($node->safe_psql('postgres', 'SELECT govledger.inclusion_proof(0, 1)'), '{}', 'of a single leaf');

for my $bad (
	[ "inclusion_proof(0, 0)", qr/tree size 0 is out of range/ ],
	[ "inclusion_proof(-1, 3)", qr/leaf -1 is not in a tree of 3/ ],
	[ "inclusion_proof(3, 3)", qr/leaf 3 is not in a tree of 3/ ],
	[ "inclusion_proof(0, $size + 1)", qr/out of range\nDETAIL:  The log has $size leaves/ ],
	[ "consistency_proof(0, 3)", qr/tree size 0 is out of range/ ],
	[ "consistency_proof(4, 3)", qr/must not be above/ ],
	[ "tile(-1, 0)", qr/does not exist/ ],
	[ "tile(8, 0)", qr/does not exist/ ],
	[ "tile(0, -1)", qr/does not exist/ ],
	[ "tile(0, 0, 257)", qr/does not exist/ ],
	[ "tile(0, 0, 0)", qr/does not exist/ ],
	[ "tile(0, 9223372036854775807)", qr/does not exist/ ],
	[ "tile(7, 0)", qr/does not exist/ ])
{
	fails_like($node, "SELECT govledger.$bad->[0]", $bad->[1], $bad->[0]);
}
is(length $node->safe_psql('postgres', q{SET ROLE govledger_public; SELECT encode(govledger.tile(0, 0), 'hex')}), 256 * 64,
	'the public may ask');
$node->safe_psql('postgres', 'CREATE ROLE guest');
fails_like($node, q{SET ROLE guest; SELECT govledger.tile(0, 0)}, qr/permission denied/, 'but not just anybody');

# What was changed behind our back is not built upon.
my $head = q{(SELECT max(height) FROM govledger.seal)};
$node->safe_psql('postgres', "SELECT govledger.note('x'); CREATE TABLE kept AS SELECT * FROM govledger.seal WHERE height = $head");
for my $change (q{root = sha256('x')}, q{content = content || '\x00'}, 'tree_size = tree_size + 7',
	q{right_edge = overlay(right_edge PLACING '\xff' FROM 1)}, q{right_edge = ''})
{
	$node->safe_psql('postgres', "SET session_replication_role = replica; UPDATE govledger.seal SET $change WHERE height = $head");
	fails_like($node, 'SELECT govledger.seal()', qr/seal \d+ is not as it was written\nHINT:.*verify/, "seal with $change");
	$node->safe_psql('postgres', "SET session_replication_role = replica; UPDATE govledger.seal s SET tree_size = k.tree_size, root = k.root, content = k.content,
		right_edge = k.right_edge FROM kept k WHERE s.height = $head");
}
$node->safe_psql('postgres', 'SELECT govledger.seal()');
log_is_sound($node, 'at the end');
done_testing();
