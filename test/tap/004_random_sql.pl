# Random SQL from several sessions while the sealer works (test/soak/random_sql.py says what it plays): the log replayed
# gives the tables and verify finds nothing. GOVLEDGER_SEED repeats a run's statements, GOVLEDGER_SECONDS makes it longer.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use LedgerTest;

my $seed = $ENV{GOVLEDGER_SEED} // time % 1000000;
my $node = ledger_node('random', key => 1, conf => "deadlock_timeout = 50ms\n");
my ($ok, $output) = command_output('python3', 'test/soak/random_sql.py', $ENV{GOVLEDGER_SECONDS} // 20, $seed, $node->connstr('postgres'));

diag((split /\n/, $output)[0]);
ok($ok, "random SQL, seed $seed") or diag($output);
ok($ok && $output =~ /(\d+) entries, (\d+) seals/ && $1 > 100 && $2 > 5, 'there was something to judge') or diag($output);
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no crash');
done_testing();
