/*
 * print.c
 *		Numbers and times as text; see print.h.
 *
 * A numeric and a timestamp cost more to print through their output functions than all else in the capture of a row.
 */
#include "capture/print.h"

#include "utils/builtins.h"
#include "utils/datetime.h"

/*
 * The short stored form of a numeric, which numeric.c keeps to itself and pg_upgrade has kept as it is since 9.1: this
 * header, then digits of base 10,000, the first of them with `weight`.
 */
#define GL_NUMERIC_FORM_MASK	0xC000
#define GL_NUMERIC_SHORT		0x8000
#define GL_NUMERIC_NEGATIVE		0x2000
#define GL_NUMERIC_SCALE_MASK	0x1F80
#define GL_NUMERIC_SCALE_SHIFT	7
#define GL_NUMERIC_WEIGHT_SIGN	0x0040
#define GL_NUMERIC_WEIGHT_MASK	0x003F
/* 4 * 13 digits, a sign, a point and up to 63 decimals fit; the last ones are written four at a time */
#define GL_NUMERIC_WEIGHT_MAX	12

/* four digits, leading zeros too */
static inline char *
gl_print_four(unsigned value, char *out)
{
	out[0] = '0' + value / 1000;
	out[1] = '0' + value / 100 % 10;
	out[2] = '0' + value / 10 % 10;
	out[3] = '0' + value % 10;
	return out + 4;
}

static inline char *
gl_print_two(unsigned value, char *out)
{
	out[0] = '0' + value / 10;
	out[1] = '0' + value % 10;
	return out + 2;
}

/* A digit group, zero before the first and behind the last that is stored. */
static inline unsigned
gl_numeric_digit(const char *digits, int count, int i)
{
	int16		digit = 0;

	if (i >= 0 && i < count)
		memcpy(&digit, digits + i * sizeof(digit), sizeof(digit));
	return digit;
}

int
gl_print_numeric(const char *stored, int length, char *out)
{
	uint16		header;
	const char *digits = stored + sizeof(header);
	int			count = (length - (int) sizeof(header)) / (int) sizeof(int16);
	char	   *at = out;
	int			weight;
	int			scale;
	int			i;

	if (length < (int) sizeof(header))
		return 0;
	memcpy(&header, stored, sizeof(header));
	weight = header & GL_NUMERIC_WEIGHT_MASK;
	if (header & GL_NUMERIC_WEIGHT_SIGN)
		weight -= GL_NUMERIC_WEIGHT_MASK + 1;
	if ((header & GL_NUMERIC_FORM_MASK) != GL_NUMERIC_SHORT || weight > GL_NUMERIC_WEIGHT_MAX)
		return 0;
	if (header & GL_NUMERIC_NEGATIVE)
		*at++ = '-';
	if (weight < 0)
		*at++ = '0';
	else
		at += pg_ultoa_n(gl_numeric_digit(digits, count, 0), at);
	for (i = 1; i <= weight; i++)
		at = gl_print_four(gl_numeric_digit(digits, count, i), at);
	scale = (header & GL_NUMERIC_SCALE_MASK) >> GL_NUMERIC_SCALE_SHIFT;
	if (scale > 0)
	{
		char	   *decimals;

		*at++ = '.';
		decimals = at;
		for (i = weight + 1; at < decimals + scale; i++)
			at = gl_print_four(gl_numeric_digit(digits, count, i), at);
		at = decimals + scale;
	}
	return at - out;
}

/* year-month-day of a year of four digits, or NULL; days since 2000-01-01 */
static char *
gl_print_day(int64 days, char *out)
{
	int			year;
	int			month;
	int			day;

	/* from 0001-01-01 to 9999-12-31 */
	if (days < -730119 || days > 2921939)
		return NULL;
	j2date((int) days + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	out = gl_print_four(year, out);
	*out++ = '-';
	out = gl_print_two(month, out);
	*out++ = '-';
	return gl_print_two(day, out);
}

int
gl_print_date(int32 date, char *out)
{
	char	   *end = gl_print_day(date, out);

	return end != NULL ? end - out : 0;
}

int
gl_print_timestamp(Timestamp timestamp, bool zone, char *out)
{
	int64		days = timestamp / USECS_PER_DAY;
	int64		microseconds = timestamp % USECS_PER_DAY;
	unsigned	seconds;
	unsigned	fraction;
	char	   *at;

	if (microseconds < 0)
	{
		microseconds += USECS_PER_DAY;
		days--;
	}
	at = gl_print_day(days, out);
	if (at == NULL)
		return 0;
	seconds = microseconds / USECS_PER_SEC;
	fraction = microseconds % USECS_PER_SEC;
	*at++ = ' ';
	at = gl_print_two(seconds / SECS_PER_HOUR, at);
	*at++ = ':';
	at = gl_print_two(seconds / SECS_PER_MINUTE % MINS_PER_HOUR, at);
	*at++ = ':';
	at = gl_print_two(seconds % SECS_PER_MINUTE, at);
	if (fraction > 0)
	{
		*at++ = '.';
		at = gl_print_two(fraction / 10000, at);
		at = gl_print_four(fraction % 10000, at);
		while (at[-1] == '0')
			at--;
	}
	if (zone)
	{
		memcpy(at, "+00", 3);
		at += 3;
	}
	return at - out;
}
