# Rules about the assembled install script.
use strict;
use warnings;
use Test::More;

my ($script) = glob("$ENV{GOVLEDGER_BUILD}/govledger--*.sql");
my @statements = statements(slurp($script));
cmp_ok(scalar @statements, '>', 1, 'the install script has statements');

my (@unpinned, @lenient, %made, %explained);
for my $statement (@statements)
{
	my ($code, $bodies) = @$statement{qw(code bodies)};
	my ($head) = $code =~ /\A\s*(.{0,100})/s;
	$head =~ s/\s+/ /g;

	# A DO block runs now, so what it says counts; other bodies run later.
	my $runs_now = $code =~ /\A\s*DO\b/i ? "$code $bodies" : $code;
	push @lenient, $head
	  if $runs_now =~ /\bCREATE\s+OR\s+REPLACE\b|\bIF\s+NOT\s+EXISTS\b(?!\s*\()/i;

	if ($code =~ /\A\s*CREATE\s+(?:OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE|AGGREGATE)\s+([\w."]+)/i)
	{
		my ($kind, $name) = (uc $1, lc $2);
		$made{$name}++ unless $name =~ /(?:^|\.)_/;
		push @unpinned, $head
		  unless $kind eq 'AGGREGATE'
		  || $code =~ /\bSET\s+search_path\b/i
		  || $code =~ /\bLANGUAGE\s+'?(?:C|internal)\b/i
		  || $code =~ /\bBEGIN\s+ATOMIC\b/i
		  || $code =~ /\bRETURN\b/i && $code !~ /\bAS\s*\$/i && $code =~ /\bLANGUAGE\s+SQL\b/i;
	}
	$explained{ lc $1 }++
	  if $code =~ /\A\s*COMMENT\s+ON\s+(?:FUNCTION|PROCEDURE|ROUTINE|AGGREGATE)\s+([\w."]+)/i;
}

verdict('every function pins search_path', \@unpinned,
	'add SET search_path = pg_catalog, pg_temp, or write it LANGUAGE SQL with BEGIN ATOMIC');
verdict('no OR REPLACE and no IF NOT EXISTS', \@lenient,
	'create it plainly: adopting an object planted by somebody else hands over the superuser');
verdict('every function is explained',
	[ grep { ($explained{$_} // 0) < $made{$_} } sort keys %made ],
	'add COMMENT ON FUNCTION for each signature; a name that begins with _ is internal and needs none');
done_testing();

sub verdict
{
	my ($name, $offenders, $remedy) = @_;
	ok(!@$offenders, $name) or diag(map { "  $_\n" } @$offenders, "-> $remedy");
	return;
}

# Split a script into statements. Comments and the contents of string constants become blanks in {code}; the contents of
# dollar-quoted ones go to {bodies}.
sub statements
{
	my ($text) = @_;
	my @result;
	my ($code, $bodies, $depth) = ('', '', 0);

	while ($text =~ /\G(?:
			  (?<skip>  --[^\n]* | ^\\[^\n]* )
			| (?<comment> \/\*(?:(?!\/\*|\*\/).|(?&comment))*\*\/ )
			| (?<string> \b[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' )
			| (?<name> "(?:[^"]|"")*" )
			| (?<tag> \$(?:[A-Za-z_]\w*)?\$ ) (?<body> .*? ) \k<tag>
			| (?<word> \w+ )
			| (?<end> ; )
			| (?<other> . ) )/gcsmx)
	{
		if (defined $+{skip} || defined $+{comment}) { $code .= ' ' }
		elsif (defined $+{string}) { $code .= "''" }
		elsif (defined $+{tag}) { $code .= '$$'; $bodies .= $+{body} }
		elsif (defined $+{word})
		{
			my $word = $+{word};
			$depth++ if $word =~ /\AATOMIC\z/i || $depth && $word =~ /\ACASE\z/i;
			$depth-- if $depth && $word =~ /\AEND\z/i;
			$code .= $word;
		}
		elsif (defined $+{end} && $depth == 0)
		{
			push @result, { code => $code, bodies => $bodies };
			($code, $bodies) = ('', '');
		}
		else { $code .= $& }
	}
	push @result, { code => $code, bodies => $bodies } if $code =~ /\S/;
	return @result;
}

sub slurp
{
	my ($name) = @_;
	open my $in, '<', $name or die "$name: $!\n";
	local $/;
	return scalar <$in>;
}
