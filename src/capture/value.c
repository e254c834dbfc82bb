/*
 * value.c
 *		Canonical text of one value, and the settings it depends on; see encode.h.
 *
 * The common types are printed here without going through fmgr; the result is byte for byte what their output
 * functions print under the pinned settings (test capture_types compares them).
 */
#include "capture/encode.h"

#include "access/transam.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "capture/print.h"
#include "core/catalog.h"

/* The C variables behind DateStyle and friends are what the output functions read; saving and restoring them
 * costs nothing, while SET per row would cost more than the row. */
void
gl_pin_begin(GlPinState *state, GlPin pin)
{
	static pg_tz *utc = NULL;

	state->pin = pin;
	if (pin == GL_PIN_NONE)
		return;
	if (pin == GL_PIN_ALL)
	{
		state->guc_level = NewGUCNestLevel();
		(void) set_config_option("search_path", "pg_catalog", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("lc_monetary", "C", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("DateStyle", "ISO, YMD", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("IntervalStyle", "postgres", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("TimeZone", "UTC", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("bytea_output", "hex", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		return;
	}
	if (utc == NULL)
		utc = pg_tzset("UTC");
	state->date_style = DateStyle;
	state->date_order = DateOrder;
	state->interval_style = IntervalStyle;
	state->extra_float_digits = extra_float_digits;
	state->bytea_output = bytea_output;
	state->time_zone = session_timezone;
	DateStyle = USE_ISO_DATES;
	DateOrder = DATEORDER_YMD;
	IntervalStyle = INTSTYLE_POSTGRES;
	extra_float_digits = 1;
	bytea_output = BYTEA_OUTPUT_HEX;
	session_timezone = utc;
}

void
gl_pin_end(const GlPinState *state)
{
	switch (state->pin)
	{
		case GL_PIN_NONE:
			break;
		case GL_PIN_STYLES:
			DateStyle = state->date_style;
			DateOrder = state->date_order;
			IntervalStyle = state->interval_style;
			extra_float_digits = state->extra_float_digits;
			bytea_output = state->bytea_output;
			session_timezone = state->time_zone;
			break;
		case GL_PIN_ALL:
			AtEOXact_GUC(true, state->guc_level);
			break;
	}
}

static bool
gl_type_is_reg(Oid type)
{
	switch (type)
	{
		case REGPROCOID:
		case REGPROCEDUREOID:
		case REGOPEROID:
		case REGOPERATOROID:
		case REGCLASSOID:
		case REGCOLLATIONOID:
		case REGTYPEOID:
		case REGROLEOID:
		case REGNAMESPACEOID:
		case REGCONFIGOID:
		case REGDICTIONARYOID:
		case ACLITEMOID:
			return true;
		default:
			return false;
	}
}

/* Types whose output reads no setting at all. */
static bool
gl_type_is_plain(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case XIDOID:
		case XID8OID:
		case CHAROID:
		case NAMEOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NUMERICOID:
		case UUIDOID:
		case JSONOID:
		case JSONBOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case BITOID:
		case VARBITOID:
		case PG_LSNOID:
		case TSVECTOROID:
			return true;
		default:
			return false;
	}
}

/* What is learnt about a type on the way through all that it is made of. */
typedef struct GlTypeWalk
{
	bool		lock;			/* keep others from changing it until the transaction ends */
	bool		has_reg;
} GlTypeWalk;

static GlPin gl_type_pin(Oid type, GlTypeWalk *walk);

static GlPin
gl_composite_pin(Oid type, GlTypeWalk *walk)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc_copy(type, -1);
	GlPin		pin = GL_PIN_NONE;
	int			i;

	for (i = 0; i < descriptor->natts; i++)
	{
		if (!TupleDescAttr(descriptor, i)->attisdropped)
			pin = Max(pin, gl_type_pin(TupleDescAttr(descriptor, i)->atttypid, walk));
	}
	return pin;
}

/*
 * What must be pinned to print this type, and what GlTypeWalk says. Built-in types that are
 * not known to be plain get GL_PIN_STYLES, which is cheap; what is not built in gets everything.
 */
static GlPin
gl_type_pin(Oid type, GlTypeWalk *walk)
{
	Oid			element;

	check_stack_depth();
	if (walk->lock && type >= FirstNormalObjectId)
		LockDatabaseObject(TypeRelationId, type, 0, AccessShareLock);
	if (gl_type_is_reg(type))
	{
		walk->has_reg = true;
		return GL_PIN_ALL;
	}
	if (gl_type_is_plain(type))
		return GL_PIN_NONE;
	if (type == MONEYOID)
		return GL_PIN_ALL;
	element = get_element_type(type);
	if (OidIsValid(element))
		return gl_type_pin(element, walk);
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			return gl_type_pin(getBaseType(type), walk);
		case TYPTYPE_ENUM:
			return GL_PIN_NONE;
		case TYPTYPE_RANGE:
			return gl_type_pin(get_range_subtype(type), walk);
		case TYPTYPE_MULTIRANGE:
			return gl_type_pin(get_multirange_range(type), walk);
		case TYPTYPE_COMPOSITE:
			return gl_composite_pin(type, walk);
		default:
			return type < FirstGenbkiObjectId ? GL_PIN_STYLES : GL_PIN_ALL;
	}
}

void
gl_type_check(Oid type, const char *column_name)
{
	GlTypeWalk	walk = {true, false};

	(void) gl_type_pin(type, &walk);
	if (walk.has_reg)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" has type %s, which cannot be kept in a ledger", column_name, format_type_be(type)),
				 errdetail("Its values print as names that change when the named object does."),
				 errhint("Store the name as text or the number as oid.")));
}

void
gl_value_writer_init(GlValueWriter *writer, Oid type, MemoryContext memory)
{
	GlTypeWalk	walk = {false, false};
	bool		is_varlena;
	Oid			function;
	char		align;

	writer->type = type;
	writer->base_type = getBaseType(type);
	get_typlenbyvalalign(type, &writer->length, &writer->by_value, &align);
	writer->pin = gl_type_pin(type, &walk);
	switch (writer->base_type)
	{
		case BYTEAOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case FLOAT4OID:
		case FLOAT8OID:
			/* printed below without looking at a setting */
			writer->pin = GL_PIN_NONE;
			break;
		default:
			break;
	}
	getTypeOutputInfo(type, &function, &is_varlena);
	fmgr_info_cxt(function, &writer->output, memory);
}

static GlBytes
gl_bytes(const char *data, size_t length)
{
	GlBytes		bytes;

	bytes.data = (const uint8_t *) data;
	bytes.length = length;
	return bytes;
}

/* Text from the server's encoding to UTF-8; nearly every database is UTF-8 already. */
static GlBytes
gl_text_bytes(const char *text, size_t length)
{
	char	   *converted;

	if (GetDatabaseEncoding() == PG_UTF8)
		return gl_bytes(text, length);
	converted = pg_server_to_any(text, length, PG_UTF8);
	return gl_bytes(converted, converted == text ? length : strlen(converted));
}

static GlBytes
gl_varlena_bytes(Datum value)
{
	struct varlena *data = PG_DETOAST_DATUM_PACKED(value);

	return gl_bytes(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data));
}

/* As PostgreSQL 16 and later print it; before, a byte above 127 came out raw and was no text. */
static GlBytes
gl_char_bytes(char value, char *scratch)
{
	unsigned char byte = (unsigned char) value;

	if (byte >= 0x80)
		return gl_bytes(scratch, sprintf(scratch, "\\%03o", byte));
	scratch[0] = value;
	return gl_bytes(scratch, byte == 0 ? 0 : 1);
}

static GlBytes
gl_date_bytes(DateADT date, char *scratch)
{
	struct pg_tm tm;
	int			length = gl_print_date(date, scratch);

	if (length > 0)
		return gl_bytes(scratch, length);
	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, scratch);
	else
	{
		memset(&tm, 0, sizeof(tm));
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, scratch);
	}
	return gl_bytes(scratch, strlen(scratch));
}

/* With no zone given, timestamp2tm yields the fields in UTC, which is what both types print here. */
static GlBytes
gl_timestamp_bytes(Timestamp timestamp, bool with_zone, char *scratch)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			length = gl_print_timestamp(timestamp, with_zone, scratch);

	if (length > 0)
		return gl_bytes(scratch, length);
	if (TIMESTAMP_NOT_FINITE(timestamp))
		EncodeSpecialTimestamp(timestamp, scratch);
	else
	{
		if (timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("timestamp out of range")));
		tm.tm_isdst = 0;
		EncodeDateTime(&tm, fsec, with_zone, 0, NULL, USE_ISO_DATES, scratch);
	}
	return gl_bytes(scratch, strlen(scratch));
}

static GlBytes
gl_numeric_bytes(Datum value, char *scratch)
{
	GlBytes		stored = gl_varlena_bytes(value);
	int			length = gl_print_numeric((const char *) stored.data, stored.length, scratch);
	char	   *text;

	if (length > 0)
		return gl_bytes(scratch, length);
	text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	return gl_bytes(text, strlen(text));
}

GlBytes
gl_value_bytes(GlValueWriter *writer, Datum value, char scratch[GL_VALUE_SCRATCH])
{
	GlBytes		bytes;

	switch (writer->base_type)
	{
		case BOOLOID:
			return gl_bytes(DatumGetBool(value) ? "t" : "f", 1);
		case CHAROID:
			return gl_char_bytes(DatumGetChar(value), scratch);
		case INT2OID:
			return gl_bytes(scratch, pg_itoa(DatumGetInt16(value), scratch));
		case INT4OID:
			return gl_bytes(scratch, pg_ltoa(DatumGetInt32(value), scratch));
		case INT8OID:
			return gl_bytes(scratch, pg_lltoa(DatumGetInt64(value), scratch));
		case FLOAT4OID:
			return gl_bytes(scratch, float_to_shortest_decimal_buf(DatumGetFloat4(value), scratch));
		case FLOAT8OID:
			return gl_bytes(scratch, double_to_shortest_decimal_buf(DatumGetFloat8(value), scratch));
		case NUMERICOID:
			return gl_numeric_bytes(value, scratch);
		case DATEOID:
			return gl_date_bytes(DatumGetDateADT(value), scratch);
		case TIMESTAMPOID:
			return gl_timestamp_bytes(DatumGetTimestamp(value), false, scratch);
		case TIMESTAMPTZOID:
			return gl_timestamp_bytes(DatumGetTimestampTz(value), true, scratch);
		case BYTEAOID:
			return gl_varlena_bytes(value);
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case JSONOID:
			bytes = gl_varlena_bytes(value);
			return gl_text_bytes((const char *) bytes.data, bytes.length);
		default:
			{
				char	   *text = OutputFunctionCall(&writer->output, value);

				return gl_text_bytes(text, strlen(text));
			}
	}
}
