/*
 * decode.c
 *		Values of the log as values of built-in types; see decode.h.
 *
 * The common forms of the common types are read here, everything else by the type's input function: numbers of the log are short
 * and have no blanks, and times are ISO in UTC.
 */
#include "history/decode.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "core/catalog.h"
#include "core/text.h"

/* Longer texts of numbers and times are left to the input function. */
#define SHORT_TEXT 64
/* Decimal digits that surely fit into 64 bits. */
#define DIGITS_MAX 18

static bool
is_kept_as_it_is(Oid type)
{
	HeapTuple	tuple;
	Form_pg_type form;
	bool		kept;

	/* types of users have code of users; xml is read under a setting that the format does not pin */
	if (type >= FirstNormalObjectId || type == XMLOID || type == XMLARRAYOID)
		return false;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_type) GETSTRUCT(tuple);
	kept = form->typnamespace == PG_CATALOG_NAMESPACE && form->typtype != TYPTYPE_COMPOSITE &&
		form->typtype != TYPTYPE_PSEUDO && (form->typcategory != 'Z' || type == CHAROID);
	/* an array is what its elements are */
	if (kept && OidIsValid(form->typelem) && form->typlen == -1 && form->typelem != type)
		kept = is_kept_as_it_is(form->typelem);
	ReleaseSysCache(tuple);
	return kept;
}

void
gl_history_type(Oid type, int32 typmod, Oid *kept, int32 *kept_typmod)
{
	*kept_typmod = typmod;
	*kept = getBaseTypeAndTypmod(type, kept_typmod);
	if (!is_kept_as_it_is(*kept))
		*kept = TEXTOID;
	/* any other modifier would change what older values look like when it changes */
	if (*kept != VARCHAROID)
		*kept_typmod = -1;
}

bool
gl_decoder_init(GlDecoder *decoder, Oid type)
{
	Oid			function;

	decoder->type = InvalidOid;
	if (!is_kept_as_it_is(type))
		return false;
	decoder->type = type;
	getTypeInputInfo(type, &function, &decoder->parameter);
	fmgr_info(function, &decoder->input);
	return true;
}

/* --- the forms that are read here; false: let the input function see --- */

static bool
read_digits(const uint8 *at, int count, int *value)
{
	int			i;

	*value = 0;
	for (i = 0; i < count; i++)
	{
		if (at[i] < '0' || at[i] > '9')
			return false;
		*value = *value * 10 + (at[i] - '0');
	}
	return true;
}

static bool
read_integer(GlBytes bytes, int64 *value)
{
	bool		minus = bytes.length > 0 && bytes.data[0] == '-';
	size_t		i = minus ? 1 : 0;

	if (bytes.length <= i || bytes.length - i > DIGITS_MAX)
		return false;
	*value = 0;
	for (; i < bytes.length; i++)
	{
		if (bytes.data[i] < '0' || bytes.data[i] > '9')
			return false;
		*value = *value * 10 + (bytes.data[i] - '0');
	}
	if (minus)
		*value = -*value;
	return true;
}

/* YYYY-MM-DD of the years that have four digits */
static bool
read_date(const uint8 *at, int *days)
{
	int			year;
	int			month;
	int			day;

	if (!read_digits(at, 4, &year) || at[4] != '-' || !read_digits(at + 5, 2, &month) || at[7] != '-' ||
		!read_digits(at + 8, 2, &day) || year < 1 || month < 1 || month > 12 || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* HH:MM:SS[.ffffff], microseconds */
static bool
read_time(const uint8 *at, size_t length, int64 *time)
{
	int			hour;
	int			minute;
	int			second;
	int			fraction = 0;
	size_t		i;

	if (length < 8 || length > 15 || length == 9 || !read_digits(at, 2, &hour) || at[2] != ':' ||
		!read_digits(at + 3, 2, &minute) || at[5] != ':' || !read_digits(at + 6, 2, &second) ||
		hour > 23 || minute > 59 || second > 59)
		return false;
	if (length > 8 && (at[8] != '.' || !read_digits(at + 9, (int) length - 9, &fraction)))
		return false;
	for (i = length > 8 ? length : 9; i < 15; i++)
		fraction *= 10;
	*time = ((hour * INT64CONST(60) + minute) * 60 + second) * USECS_PER_SEC + fraction;
	return true;
}

/* A date, a blank, a time, and for timestamptz +00. */
static bool
read_timestamp(GlBytes bytes, bool zone, int64 *timestamp)
{
	int			days;
	int64		time;
	size_t		length = bytes.length;

	if (zone)
	{
		if (length < 3 || memcmp(bytes.data + length - 3, "+00", 3) != 0)
			return false;
		length -= 3;
	}
	if (length < 19 || bytes.data[10] != ' ' || !read_date(bytes.data, &days) ||
		!read_time(bytes.data + 11, length - 11, &time))
		return false;
	*timestamp = days * USECS_PER_DAY + time;
	return true;
}

static int
hex_digit(uint8 digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool
read_uuid(GlBytes bytes, Datum *value)
{
	pg_uuid_t  *uuid;
	size_t		i;
	int			n = 0;

	if (bytes.length != 36)
		return false;
	uuid = palloc0(sizeof(pg_uuid_t));
	for (i = 0; i < 36; i++)
	{
		int			digit;

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (bytes.data[i] != '-')
				return false;
			continue;
		}
		digit = hex_digit(bytes.data[i]);
		if (digit < 0)
			return false;
		uuid->data[n / 2] |= (unsigned char) (n % 2 == 0 ? digit << 4 : digit);
		n++;
	}
	*value = UUIDPGetDatum(uuid);
	return true;
}

/* Digits with at most one point in between: the scale is kept as it is printed. */
static bool
read_decimal(GlBytes bytes, Datum *value)
{
	uint8		digits[DIGITS_MAX + 2];
	GlBytes		integer = {digits, 0};
	int			scale = 0;
	size_t		i;
	bool		point = false;
	int64		number;

	if (bytes.length > sizeof(digits))
		return false;
	for (i = 0; i < bytes.length; i++)
	{
		if (bytes.data[i] == '.' && !point)
		{
			point = true;
			continue;
		}
		scale += point;
		digits[integer.length++] = bytes.data[i];
	}
	if (!read_integer(integer, &number) || (point && scale == 0))
		return false;
	*value = NumericGetDatum(scale == 0 ? int64_to_numeric(number) : int64_div_fast_to_numeric(number, scale));
	return true;
}

static Datum
text_datum(GlBytes bytes)
{
	char	   *text;

	if (GetDatabaseEncoding() == PG_UTF8)
	{
		if (!pg_verify_mbstr(PG_UTF8, (const char *) bytes.data, (int) bytes.length, true))
			text = NULL;
		else
			return PointerGetDatum(cstring_to_text_with_len((const char *) bytes.data, (int) bytes.length));
	}
	else
		text = gl_server_text(bytes);
	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("a value of the log is no text of this database: %s", gl_shown(bytes, true)),
				 errhint("Run SELECT * FROM govledger.verify() to see whether it was changed.")));
	return CStringGetTextDatum(text);
}

static bool
read_fast(Oid type, GlBytes bytes, Datum *value)
{
	int64		number;
	int			days;

	switch (type)
	{
		case INT8OID:
			*value = 0;
			if (!read_integer(bytes, &number))
				return false;
			*value = Int64GetDatum(number);
			return true;
		case INT4OID:
			if (!read_integer(bytes, &number) || number < PG_INT32_MIN || number > PG_INT32_MAX)
				return false;
			*value = Int32GetDatum((int32) number);
			return true;
		case INT2OID:
			if (!read_integer(bytes, &number) || number < PG_INT16_MIN || number > PG_INT16_MAX)
				return false;
			*value = Int16GetDatum((int16) number);
			return true;
		case BOOLOID:
			if (bytes.length != 1 || (bytes.data[0] != 't' && bytes.data[0] != 'f'))
				return false;
			*value = BoolGetDatum(bytes.data[0] == 't');
			return true;
		case NUMERICOID:
			return read_decimal(bytes, value);
		case DATEOID:
			if (bytes.length != 10 || !read_date(bytes.data, &days))
				return false;
			*value = DateADTGetDatum(days);
			return true;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			if (!read_timestamp(bytes, type == TIMESTAMPTZOID, &number))
				return false;
			*value = TimestampGetDatum(number);
			return true;
		case UUIDOID:
			return read_uuid(bytes, value);
		default:
			return false;
	}
}

Datum
gl_decode(GlDecoder *decoder, GlBytes bytes)
{
	char		room[SHORT_TEXT];
	char	   *text = room;
	Datum		value = 0;

	switch (decoder->type)
	{
		case InvalidOid:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("a column of the history has a type that is not built in"),
					 errhint("Somebody altered it. Drop it and run SELECT govledger.rebuild('schema.table').")));
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return text_datum(bytes);
		case BYTEAOID:
			return gl_bytea(bytes.data, bytes.length);
		default:
			break;
	}
	if (read_fast(decoder->type, bytes, &value))
		return value;
	if (bytes.length >= sizeof(room))
	{
		text = gl_server_text(bytes);
		if (text == NULL)
			return text_datum(bytes);	/* raises the error */
	}
	else
	{
		if (!gl_utf8_valid(bytes.data, bytes.length) || memchr(bytes.data, 0, bytes.length) != NULL)
			return text_datum(bytes);
		memcpy(room, bytes.data, bytes.length);
		room[bytes.length] = '\0';
		if (GetDatabaseEncoding() != PG_UTF8)
			text = gl_server_text(bytes);
	}
	return InputFunctionCall(&decoder->input, text, decoder->parameter, -1);
}
