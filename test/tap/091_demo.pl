# The demo, whose every step is a test: the land registry, and CSV files that are awkward in one way or another.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %csv = (
	# BOM, CRLF, a quoted line break, words that are reserved, names that repeat, an empty value, a code with a leading zero
	awkward => "\xef\xbb\xbfOrder,Select,select,\"Größe, cm\",code\r\n"
	  . join('', map { "$_,\"a, \"\"$_\"\"\r\nb\",x$_,$_.50,0$_\r\n" } 1 .. 20)
	  . "21,,y,,\r\n",
	pair => "town;street;people\n" . join('', map { my $t = $_; map { "$t;$_;5\n" } 1 .. 5 } 1 .. 5),
	keyless => "day,amount\n2024-01-01,5\n2024-01-01,5\n2024-01-02,6\n",
	one_column => "name\nAnna\nBéla\nCleo\n",
	one_row => "id,name\n1,Anna\n",
	all_types => "id,i,b,n,d,t,o,x\n"
	  . join('', map { "a$_,$_,900000000$_,$_.5,2024-01-0$_,2024-01-0$_ 10:00:00+02,true,txt\n" } 1 .. 9),
	dates_only => "day,until\n2024-01-01,2024-02-01\n2024-01-02,2024-02-01\n",
	flags => "id,flag\n1,true\n2,false\n3,\n",
);
my %bad = (
	ragged => [ "a,b\n1,2\n3\n", qr/ragged\.csv: line 3 has 1 field, the header has 2/ ],
	latin1 => [ "a,b\n1,caf\xe9\n", qr/latin1\.csv: line 2: byte 0xe9 is not UTF-8/ ],
	nothing => [ '', qr/nothing\.csv: the file is empty/ ],
	header_only => [ "a,b\n", qr/header_only\.csv: there is a header and no row below it/ ],
	open_quote => [ "a,b\n1,\"x\n", qr/open_quote\.csv: line 2: a quote is opened and never closed/ ],
);

my $node = PostgreSQL::Test::Cluster->new('demo');
$node->init;
$node->append_conf('postgresql.conf', 'fsync = off');
$node->start;
my $directory = PostgreSQL::Test::Utils::tempdir;

sub demo
{
	my ($name, $data) = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATA} = $node->data_dir;
	local $ENV{PGUSER} = $node->safe_psql('postgres', 'SELECT current_user');
	local $ENV{DATA} = $data // '';
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'test/demo/run' ], '<', \undef, '>', \$out, '2>', \$err);

	$node->safe_psql('postgres', 'ALTER SYSTEM RESET ALL');
	$node->reload;
	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $_ WITH (FORCE)") foreach qw(govledger_demo govledger_demo_backup);
	return ($ok, $out, $err);
}

sub ends_well
{
	my ($name, $data) = @_;
	my ($ok, $out, $err) = demo($name, $data);

	ok($ok && $out =~ /^demo: \d+ steps, all as expected\n\z/m, "$name: every step is as expected") or diag(substr($out, -3000), $err);
	ok($out !~ /\e/, "$name: no colours in a file");
	return;
}

ends_well('land registry');
foreach my $name (sort keys %csv)
{
	my $file = "$directory/$name.csv";

	append_to_file($file, $csv{$name});
	ends_well($name, $file);
}
foreach my $name (sort keys %bad)
{
	my ($content, $message) = @{ $bad{$name} };
	my $file = "$directory/$name.csv";

	append_to_file($file, $content);
	my ($ok, $out, $err) = demo($name, $file);
	ok(!$ok, "$name: refused");
	like($err, $message, "$name: with the reason");
}

$node->stop;
done_testing();
