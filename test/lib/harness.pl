# harness.pl SCORE FILE...: run TAP programs two at a time, say which failed, write "passed failed skipped" to SCORE.
#
# .pl files run under perl with test/lib, .py files under python3, all others are executed. A file that dies, breaks its
# plan or runs no test counts as one failure beside the failed tests in it. The names of files with a failure are
# written to SCORE.failed.
use strict;
use warnings;
use TAP::Harness;

my ($score, @files) = @ARGV;
die "no tests to run\n" unless @files;

my %interpreter = (pl => ['perl', '-Itest/lib'], py => ['python3']);
my $harness = TAP::Harness->new(
	{
		jobs => 2,
		timer => 1,
		failures => 1,
		exec => sub {
			my $file = $_[1];
			my ($extension) = $file =~ /\.(\w+)$/;
			my $command = $extension && $interpreter{$extension} || [];
			return [ @$command, $file ];
		}
	});
my $results = $harness->runtests(@files);

my ($passed, $failed, $skipped, @bad) = (0, 0, 0);
for my $parser ($results->parsers)
{
	my $failures = $parser->failed;
	my $skips = $parser->skipped;
	my $broken = $parser->exit || $parser->parse_errors || ($parser->tests_run == 0 && !$parser->skip_all);

	$failures = 1 if $broken && $failures == 0;
	$passed += $parser->passed - $skips;
	$skipped += $skips;
	$failed += $failures;
}
for my $file (@files)
{
	my ($parser) = $results->parsers($file);
	push @bad, $file if $parser->has_problems;
}
spill($score, "$passed $failed $skipped\n");
spill("$score.failed", map { "$_\n" } @bad);
exit($failed > 0);

sub spill
{
	my ($name, @lines) = @_;
	open my $out, '>', $name or die "$name: $!\n";
	print $out @lines;
	close $out or die "$name: $!\n";
	return;
}
