# Where checkpoints go: table, NOTIFY, log, directory; and alarms.
use strict;
use warnings;
use lib 'test/tap';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use sealtest;

my $keys = key_directory();
my $directory = key_directory();
my $node = new_ledger_node('publish');
my $seal = 'SELECT govledger.seal()';
my $note = sub { return $node->safe_psql('postgres', "SELECT govledger.note('x')"); };
my $files = sub { opendir(my $d, $directory) or die; return join ' ', sort { $a cmp $b } grep { !/^\.\.?$/ } readdir $d; };
my $sizes = sub { return $node->safe_psql('postgres', q{SELECT string_agg(tree_size::text, ' ' ORDER BY tree_size::text) FROM govledger.checkpoint } . shift); };

$node->safe_psql('postgres', "SELECT govledger.generate_key('$keys/key')");
set_system($node, 'govledger.signing_key' => "$keys/key");
$node->safe_psql('postgres', $seal);

# NOTIFY and log.
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN govledger_checkpoint');
$note->();
my $checkpoint = $node->safe_psql('postgres', $seal);
my ($body, $origin, $size) = checkpoint_fields($checkpoint);
my ($root) = $checkpoint =~ /\n(\S{44})\n/;
like($listener->query_safe('SELECT 1'), qr/"govledger_checkpoint" with payload "\Q$origin $size $root\E"/, 'NOTIFY');
my ($signature) = $checkpoint =~ / (\S+)\n\z/;
wait_for_log_line($node, qr/LOG:  govledger checkpoint \Q$origin $size $root $signature\E\n/, 'server log');
$listener->quit;

# The directory begins with the newest checkpoint.
fails_like($node, q{SET govledger.checkpoint_directory = 'relative'}, qr/absolute path/, 'relative directory');
set_system($node, 'govledger.checkpoint_directory' => $directory);
$node->safe_psql('postgres', $seal);
is($files->(), "$size latest", 'first files');
is(slurp_file("$directory/latest"), $checkpoint, 'latest');
is(slurp_file("$directory/$size"), $checkpoint, 'and by size');
is((stat "$directory/latest")[2] & 07777, 0644, 'readable by others');
$note->();
$node->safe_psql('postgres', $seal);
is(slurp_file("$directory/latest"), $node->safe_psql('postgres', $seal), 'the next one');
is($files->(), $sizes->("WHERE tree_size >= $size") . ' latest', 'one per size');

# What could not be written stops nothing, is reported, and is made up for.
rename $directory, "$directory.away" or die;
for (1 .. 2)
{
	$note->();
	fails_like($node, $seal, qr/could not write checkpoint file .*No such file/, 'directory away');
}
is($node->safe_psql('postgres', 'SELECT unsigned_blocks, unsealed_entries, key_state FROM govledger.status'), '0|0|registered',
	'sealed and signed all the same');
like($node->safe_psql('postgres', 'SELECT last_error FROM govledger.status'), qr/could not write checkpoint file/, 'status says so');
rename "$directory.away", $directory or die;
$node->safe_psql('postgres', $seal);
is($files->(), $sizes->("WHERE tree_size >= $size") . ' latest', 'no gap');
is($node->safe_psql('postgres', 'SELECT last_error IS NULL FROM govledger.status'), 't', 'all is well again');

# Left-overs of a crash, and a directory of somebody else.
spill("$directory/.latest.tmp", 'half');
$note->();
$node->safe_psql('postgres', $seal);
is($files->(), $sizes->("WHERE tree_size >= $size") . ' latest', 'a temporary file of a crash is replaced');
spill("$directory/latest", 'nothing');
$note->();
fails_like($node, $seal, qr/is not a checkpoint\nHINT:  Remove/, 'damaged latest');
unlink "$directory/latest";
$node->safe_psql('postgres', $seal);
is(slurp_file("$directory/latest"), $node->safe_psql('postgres', $seal), 'removed and made again');
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', "CREATE EXTENSION govledger; SELECT govledger.note('x')");
fails_like($node, $seal, qr/checkpoint directory .* belongs to ledger "\Q$origin\E"\nHINT:  Give each database/, 'two ledgers',
	database => 'second');
is($node->safe_psql('second', 'SELECT unsigned_blocks FROM govledger.status'), '0', 'both are signed');

# Alarms.
set_system($node, 'govledger.databases' => 'postgres', 'govledger.alarm_after' => '1s', 'govledger.checkpoint_directory' => undef,
	'govledger.signing_key' => "$keys/none");
$note->();
wait_for_log_line($node, qr/WARNING:  govledger: seals are waiting to be signed since/, 'alarm: not signed');
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET govledger.origin = $$elsewhere$$');
$note->();
wait_for_log_line($node, qr/WARNING:  govledger: entries are waiting to be sealed since/, 'alarm: not sealed');
cmp_ok($node->safe_psql('postgres', 'SELECT extract(epoch FROM oldest_unsealed_age) FROM govledger.status'), '>', 0.9,
	'age of the oldest entry');
done_testing();
