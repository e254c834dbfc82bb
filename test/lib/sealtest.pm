# What the tests of the sealer share: a node with a ledger, keys, and independent checks of what it signs.
package sealtest;

use strict;
use warnings;
use Digest::SHA qw(sha256);
use Exporter 'import';
use File::Temp ();
use MIME::Base64 qw(decode_base64 encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_ledger_node key_directory set_system note_is_signed checkpoint_fields log_is_sound
  inclusion_root fails_like wait_for_log_line spill);

# A running node with the extension, a protected table t, and no sealer of its own unless asked for.
sub new_ledger_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $options{init} || {} });
	$node->append_conf('postgresql.conf', "fsync = off\nmax_prepared_transactions = 5\ngovledger.seal_interval = 50ms\n");
	$node->append_conf('postgresql.conf', "govledger.databases = 'nowhere'\n") unless $options{worker};
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start;
	$node->safe_psql('postgres', q{
		CREATE EXTENSION govledger;
		CREATE TABLE t (id integer PRIMARY KEY, v text);
		SELECT govledger.protect('t');});
	return $node;
}

# A directory outside every data directory.
sub key_directory
{
	return PostgreSQL::Test::Utils::tempdir('keys');
}

sub set_system
{
	my ($node, %settings) = @_;
	for my $name (sort keys %settings)
	{
		$node->safe_psql('postgres',
			defined $settings{$name} ? "ALTER SYSTEM SET $name = '$settings{$name}'" : "ALTER SYSTEM RESET $name");
	}
	$node->reload;
	return;
}

# ($body, $origin, $size, $root, $signatures{key id} = signature)
sub checkpoint_fields
{
	my ($note) = @_;
	my ($body, $lines) = $note =~ /\A((?:[^\n]+\n){3})\n((?:\xE2\x80\x94 [^\n]+\n)+)\z/
	  or return;
	my ($origin, $size, $root) = split /\n/, $body;
	my %signatures;
	for my $line (split /\n/, $lines)
	{
		my ($name, $base64) = (split / /, $line)[ 1, 2 ];
		my ($id, $signature) = unpack 'H8 a*', decode_base64($base64);
		$signatures{$id} = $signature;
	}
	return ($body, $origin, $size, decode_base64($root), %signatures);
}

# Does the verifier key sign the note? OpenSSL's command line decides.
sub note_is_signed
{
	my ($note, $verifier, $test) = @_;
	my ($name, $id, $key) = $verifier =~ /\A(.*)\+([0-9a-f]{8})\+(.*)\z/;
	my ($body, $origin, $size, $root, %signatures) = checkpoint_fields($note);
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $raw = substr(decode_base64($key), 1);

	is(substr(unpack('H*', sha256("$name\n\x01$raw")), 0, 8), $id, "$test: key id");
	is($origin, $name, "$test: origin");
	spill("$dir/key.der", pack('H*', '302a300506032b6570032100') . $raw);
	spill("$dir/body", $body // '');
	spill("$dir/signature", $signatures{$id} // '');
	return command_ok(
		[
			'openssl', 'pkeyutl', '-verify', '-rawin', '-pubin', '-keyform', 'DER',
			'-inkey', "$dir/key.der", '-in', "$dir/body", '-sigfile', "$dir/signature"
		],
		"$test: signature");
}

# The independent reader recomputes every leaf, seal, root, tile and signature from a dump of the log tables.
sub log_is_sound
{
	my ($node, $test, $database) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();

	$node->safe_psql($database // 'postgres', join '', map { "COPY govledger.$_ TO '$dir/$_.csv' CSV HEADER;\n" }
		qw(ledger former_log ledger_table ledger_relation ledger_column context entry record_chunk personal leaf seal tile
		checkpoint signing_key));
	my ($out, $err);
	my $ok = IPC::Run::run([ 'python3', 'test/interop/govledger.py', 'check-log', $dir ], '>', \$out, '2>', \$err);
	ok($ok, "$test: the independent reader agrees") or diag($out, $err);
	return;
}

# Root that an audit path leads to (RFC 9162, 2.1.3.2), undef if it has the wrong length.
sub inclusion_root
{
	my ($index, $size, $hash, @path) = @_;
	my ($fn, $sn) = ($index, $size - 1);

	for my $node (@path)
	{
		return if $sn == 0;
		if ($fn & 1 || $fn == $sn)
		{
			$hash = sha256("\x01$node$hash");
			while (!($fn & 1) && $fn != 0) { $fn >>= 1; $sn >>= 1; }
		}
		else
		{
			$hash = sha256("\x01$hash$node");
		}
		$fn >>= 1;
		$sn >>= 1;
	}
	return $sn == 0 ? $hash : undef;
}

# The statement fails, and the message (with detail and hint) matches.
sub fails_like
{
	my ($node, $statement, $pattern, $test, %options) = @_;
	my ($status, $out, $err) = $node->psql($options{database} // 'postgres', $statement, %options);

	isnt($status, 0, "$test: fails");
	return like($err, $pattern, "$test: says why");
}

sub wait_for_log_line
{
	my ($node, $pattern, $test) = @_;
	my $found = 0;

	for (1 .. 300)
	{
		last if $found = slurp_file($node->logfile) =~ $pattern;
		select undef, undef, undef, 0.1;
	}
	return ok($found, $test);
}

sub spill
{
	my ($name, $content) = @_;
	open my $out, '>:raw', $name or die "$name: $!\n";
	print $out $content;
	close $out or die "$name: $!\n";
	return;
}

1;
