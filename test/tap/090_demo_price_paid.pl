# Real data under the ledger: 6,311 sales of HM Land Registry. The figures of ANSWERS must come out of the ledger table,
# verify must be clean, and one price that is edited behind the ledger's back must be named.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $samples = ($ENV{GOVLEDGER_SHARED} // '../shared') . '/samples/price-paid';
my $csv = "$samples/newcastle-2022.csv";
plan skip_all => "$samples is not there" unless -r $csv && -r "$samples/ANSWERS";

my %answer = map { /^(\D+?) (\S+(?: \d{4}-\d\d-\d\d)?)$/ ? ($1 => $2) : () } split /\n/, slurp_file("$samples/ANSWERS");
is(scalar keys %answer, 5, 'ANSWERS has the five figures this test knows of');

my $node = PostgreSQL::Test::Cluster->new('price_paid');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;

# Load it as the demo does.
my $load = PostgreSQL::Test::Utils::tempdir . '/rows.copy';
my ($plan, $messages) = ('', '');
ok(IPC::Run::run([ 'python3', 'test/demo/infer_csv.py', $csv, $load ], '>', \$plan, '2>', \$messages), 'types are inferred') or diag($messages);
my ($create) = $plan =~ /^create_table='(.*?)'$/ms;
$node->safe_psql('postgres', "CREATE EXTENSION govledger; $create");
$node->safe_psql('postgres', "\\copy newcastle_2022 FROM '$load'");
$node->safe_psql('postgres', "SELECT govledger.protect('newcastle_2022')");

is($node->safe_psql('postgres', "SELECT string_agg(format('%s %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'newcastle_2022'::regclass AND attnum BETWEEN 1 AND 4"),
	'unique_id uuid, price_paid integer, deed_date date, postcode text', 'columns and types');
is($node->safe_psql('postgres', 'SELECT count(*) FROM newcastle_2022'), $answer{rows}, 'rows');
is($node->safe_psql('postgres', 'SELECT sum(price_paid) FROM newcastle_2022'), $answer{'sum of price_paid'}, 'sum of price_paid');
is($node->safe_psql('postgres', "SELECT min(deed_date) || ' ' || max(deed_date) FROM newcastle_2022"),
	$answer{'first and last deed_date'}, 'first and last deed_date');
is($node->safe_psql('postgres', "SELECT count(*) || ' ' || count(*) FILTER (WHERE n > 1)
	FROM (SELECT count(*) AS n FROM newcastle_2022 GROUP BY postcode, saon, paon, street) AS address"),
	"$answer{'distinct addresses'} $answer{'addresses sold more than once'}", 'addresses');

is($node->safe_psql('postgres', 'SELECT sum(records) FROM govledger.entry'), $answer{rows} + 1, 'a record for every sale, and one for the schema');
$node->safe_psql('postgres', 'SELECT govledger.seal()');
is($node->safe_psql('postgres', 'SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok'), '', 'verify is clean');

# A lawful change is no finding; an edit with the trigger asleep is.
$node->safe_psql('postgres', "UPDATE newcastle_2022 SET price_paid = price_paid + 1 WHERE unique_id = 'E7B085FC-E596-7E31-E053-6C04A8C0E67F'");
is($node->safe_psql('postgres', 'SELECT check_name, object, detail FROM govledger.verify() WHERE NOT ok'), '', 'and after a lawful change');
$node->safe_psql('postgres', q{
	SET govledger.guards = off;
	ALTER TABLE newcastle_2022 DISABLE TRIGGER ALL;
	UPDATE newcastle_2022 SET price_paid = 1 WHERE unique_id = 'F3B6C199-5495-6E40-E053-6C04A8C0B3B4';
	ALTER TABLE newcastle_2022 ENABLE ALWAYS TRIGGER "!govledger";
	ALTER TABLE newcastle_2022 ENABLE ALWAYS TRIGGER "!govledger_truncate"});
is($node->safe_psql('postgres', 'SELECT object, key, column_name, logged, found FROM govledger.verify() WHERE NOT ok'),
	'public.newcastle_2022|{"unique_id": "f3b6c199-5495-6e40-e053-6c04a8c0b3b4"}|price_paid|1567329|1', 'the edited price is named');

$node->stop;
done_testing();
