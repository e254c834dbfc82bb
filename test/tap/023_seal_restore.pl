# Restored backups, copies, lost and damaged state files: nothing is signed that contradicts what was signed before.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $keys = key_directory();
my $node = new_ledger_node('original', init => { allows_streaming => 1 });
my $note = sub { my ($n, $text) = @_; return $n->safe_psql('postgres', "SELECT govledger.note('$text')"); };
my $seal = 'SELECT govledger.seal()';

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', $seal);
my $origin = $node->safe_psql('postgres', 'SELECT origin FROM govledger.status');
my $state = slurp_file("$keys/key.state");
like($state, qr{\Agovledger signer state v1\n\Q$origin\E \d+ \S{44}\n\z}, 'the state file');
is((stat "$keys/key.state")[2] & 07777, 0600, 'is private');

# A physical backup that is restored after the original went on.
$node->backup('early');
$note->($node, 'after the backup');
$node->safe_psql('postgres', $seal);
$node->stop;
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($node, 'early');
$restored->start;
$note->($restored, 'in the restored one');
fails_like($restored, $seal, qr/refusing to sign: this database lacks entries that were signed already|the log differs/,
	'a restored backup');
$note->($restored, 'more') for 1 .. 3;
fails_like($restored, $seal, qr/refusing to sign: the log differs from the one that was signed\nDETAIL.*\nHINT/,
	'also when it has grown past the original');
is($restored->safe_psql('postgres', 'SELECT unsealed_entries, unsigned_blocks > 0 FROM govledger.status'), '0|t',
	'it seals, but has no signature');
like($restored->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), qr/refusing to sign/, 'and says so');
$restored->stop;
my $behind = PostgreSQL::Test::Cluster->new('behind');
$behind->init_from_backup($node, 'early');
$behind->start;
$behind->safe_psql('postgres', 'DELETE FROM govledger.checkpoint');
fails_like($behind, $seal, qr/refusing to sign: this database lacks entries.*\nDETAIL:.*knows a tree of \d+ leaves; here are \d+/,
	'a restored backup that is behind');
$behind->stop;
$node->start;
$note->($node, 'the original goes on');
note_is_signed($node->safe_psql('postgres', $seal), $node->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key'),
	'the original');

# The state file is not what it was.
my $good = slurp_file("$keys/key.state");
my $refuses = sub {
	my ($content, $pattern, $test) = @_;
	defined $content ? spill("$keys/key.state", $content) : unlink "$keys/key.state";
	$note->($node, 'x');
	return fails_like($node, $seal, $pattern, $test);
};
my $garbled = qr/cannot be understood\nDETAIL.*\nHINT/;
$refuses->('', $garbled, 'empty');
$refuses->('something', $garbled, 'other content');
$refuses->(substr($good, 0, -10), $garbled, 'cut');
$refuses->($good =~ s/\n\S+ \K(\d+)/0$1/r, $garbled, 'leading zero');
$refuses->($good =~ s/\S(=\n)\z/!$1/r, $garbled, 'no base64');
$refuses->("$good\n", $garbled, 'an empty line');
$refuses->($good . ($good =~ /\n(.*\n)\z/)[0], $garbled, 'two lines for one ledger');
$refuses->("$good\0", $garbled, 'a zero byte');
$refuses->($good =~ s/\n\S+ \K(\d+)/$1 + 1000/er, qr/this database lacks entries/, 'a later size');
$refuses->($good =~ s/\n\S+ \K(\d+)/$1 - 1/er, qr/the log differs/, 'a size that ends with no seal');
$refuses->($good =~ s/ (\S)(?=\S*\n\z)/' ' . ($1 eq 'A' ? 'B' : 'A')/er, qr/the log differs/, 'another root');
$refuses->("govledger signer state v1\nexample.org/x 3 " . ('A' x 43) . "=\n", qr/does not know what was signed last/, 'other ledgers only');
$refuses->(undef, qr/does not know what was signed last\nDETAIL.*\nHINT:.*write two lines into it/, 'missing');
SKIP:
{
	skip 'root may read anything', 2 if $> == 0;
	spill("$keys/key.state", $good);
	chmod 0, "$keys/key.state";
	fails_like($node, $seal, qr/could not open signer state file.*Permission denied/, 'unreadable');
	chmod 0600, "$keys/key.state";
}
spill("$keys/key.state", "govledger signer state v1\nexample.org/x 3 " . ('A' x 43) . "=\n$origin 0 -\n");
like($node->safe_psql('postgres', $seal), qr/\A\Q$origin\E\n/, 'said to be lost: signs');
like(slurp_file("$keys/key.state"), qr/\nexample.org\/x 3 A{43}=\n\Q$origin\E [1-9]/, 'and remembers again, others too');

# A key that is not in a file needs the setting; another place works for all keys.
set_system($node, 'govledger.signer_state_file' => "$keys/elsewhere");
system_or_bail('cp', "$keys/key.state", "$keys/elsewhere");
$note->($node, 'x');
$node->safe_psql('postgres', $seal);
isnt(slurp_file("$keys/elsewhere"), slurp_file("$keys/key.state"), 'govledger.signer_state_file');
set_system($node, 'govledger.signer_state_file' => '/nowhere/state');
$note->($node, 'x');
fails_like($node, $seal, qr/could not open directory "\/nowhere"/, 'a state file that cannot be');
is($node->safe_psql('postgres', 'SELECT unsealed_entries FROM govledger.status'), '0', 'stops no sealing');
fails_like($node, q{SET govledger.signer_state_file = 'x'}, qr/absolute path/, 'relative state file');
set_system($node, 'govledger.signer_state_file' => undef);
system_or_bail('cp', "$keys/elsewhere", "$keys/key.state");
$node->safe_psql('postgres', $seal);

# A dropped column is not in a dump: the columns behind it get other numbers.
$node->safe_psql('postgres', q{
	CREATE TABLE moved (id int PRIMARY KEY, gone int, name text);
	ALTER TABLE moved DROP COLUMN gone;
	SELECT govledger.protect('moved');
	INSERT INTO moved VALUES (1, 'before')});
$node->safe_psql('postgres', $seal);

# A dump goes to another cluster with entries that were not sealed yet.
$note->($node, 'not sealed before the dump');
$note->($node, 'nor this');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$keys/dump", 'postgres' ], 'dump');
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "govledger.databases = 'nowhere'\ngovledger.signing_key = '$keys/key'\n");
$other->start;
$other->command_ok([ 'pg_restore', '-d', 'postgres', "$keys/dump" ], 'restore');
fails_like($other, $seal, qr/is not the one that holds the ledger\nDETAIL.*\nHINT:.*adopt/, 'it seals nothing');
fails_like($other, q{SELECT govledger.adopt(' ')}, qr/a reason for the adoption must be given/, 'adoption without a reason');
is($other->safe_psql('postgres', q{SELECT govledger.adopt('moved')}), '2', 'adopted');
fails_like($other, q{SELECT govledger.adopt('again')}, qr/belongs to this/, 'once');
my $last = $other->safe_psql('postgres', $seal);
note_is_signed($last, $other->safe_psql('postgres', 'SELECT verifier_key FROM govledger.signing_key'), 'adopted log');
is($other->safe_psql('postgres',
		'SELECT generation, count(*) FROM govledger.leaf, unnest(transaction_ids)
		 WHERE first_leaf >= (SELECT first_leaf FROM govledger.seal ORDER BY height DESC LIMIT 1) GROUP BY 1 ORDER BY 1'),
	"1|2\n2|1", 'the first block of the new generation takes what the old one left');
is($other->safe_psql('postgres', 'SELECT generation, unsealed_entries FROM govledger.status'), '2|0', 'status');
$note->($other, 'on');
$other->safe_psql('postgres', q{
	ALTER TABLE moved RENAME COLUMN name TO title;
	ALTER TABLE moved ADD COLUMN added int;
	UPDATE moved SET added = 1});
is($other->safe_psql('postgres',
		q{SELECT string_agg(column_id || ' ' || column_name || ' ' || dropped, ', ' ORDER BY column_id) FROM govledger.ledger_column
		   JOIN govledger.ledger_relation USING (table_id) WHERE relation = 'moved'::regclass}),
	'1 id false, 2 title false, 3 added false', 'columns are followed after the move');
$other->safe_psql('postgres', $seal);
is($other->safe_psql('postgres', 'SELECT count(*) FROM govledger.verify() WHERE NOT ok'), '0', 'verify of two generations');
log_is_sound($other, 'adopted');

# The left-over original would be a fork now, and the key's memory knows.
fails_like($node, $seal, qr/refusing to sign/, 'the original is out');
done_testing();
