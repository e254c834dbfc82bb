/*
 * encode.h
 *		Rows of a ledger relation in their canonical form (src/format/README.md section 3).
 */
#ifndef GL_CAPTURE_ENCODE_H
#define GL_CAPTURE_ENCODE_H

#include "core/compat.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "fmgr.h"
#include "format/buffer.h"
#include "utils/rel.h"

/* Which settings the text form of a type depends on. */
typedef enum GlPin
{
	GL_PIN_NONE,
	GL_PIN_STYLES,				/* DateStyle and the like: plain C variables, pinned at no cost */
	GL_PIN_ALL					/* money, types of other extensions: every setting, search_path too */
} GlPin;

/* How one column becomes bytes; filled by gl_value_writer_init. */
typedef struct GlValueWriter
{
	Oid			type;			/* declared type */
	Oid			base_type;		/* below domains: selects the fast path */
	int16		length;
	bool		by_value;
	GlPin		pin;
	FmgrInfo	output;
} GlValueWriter;

/* One live column of a ledger relation. */
typedef struct GlEncoderColumn
{
	int			column_id;
	int			index;			/* into values[] and nulls[] of this relation's tuples */
	int			key_ordinal;	/* 0: not in the key */
	bool		personal;
	GlValueWriter writer;
} GlEncoderColumn;

/*
 * A ledger relation as capture and verify see it. Cached per backend; valid until the next gl_encoder_for of the same relation,
 * so take what you need to keep.
 */
typedef struct GlEncoder
{
	Oid			relation;		/* hash key */
	bool		valid;
	int			table_id;
	int			relation_id;
	bool		append_only;
	bool		has_personal;
	bool		has_key;
	GlPin		pin;			/* strongest of the columns */
	int			columns_count;
	GlEncoderColumn *columns;	/* ascending column id */
	int			natts;
	TupleDesc	descriptor;
	MemoryContext memory;
} GlEncoder;

/* Settings as they were before gl_pin_begin. */
typedef struct GlPinState
{
	GlPin		pin;
	int			guc_level;
	int			date_style;
	int			date_order;
	int			interval_style;
	int			extra_float_digits;
	int			bytea_output;
	void	   *time_zone;
} GlPinState;

/* Encoder of an open ledger relation; NULL if it is not one. Error if its columns are not those the ledger knows. */
extern const GlEncoder *gl_encoder_for(Relation relation);

/*
 * Pin the settings that printing depends on; undo with gl_pin_end, also on error (PG_TRY) when pin is GL_PIN_STYLES. At
 * GL_PIN_ALL an error is undone by the (sub)transaction's own abort as well.
 */
extern void gl_pin_begin(GlPinState *state, GlPin pin);
extern void gl_pin_end(const GlPinState *state);

/*
 * Can a column of this type be captured? Error naming the column if not (reg* types anywhere inside). Until the transaction ends
 * no ledger lets the type, or one inside it, be changed: that would miss the rows we are about to record.
 */
extern void gl_type_check(Oid type, const char *column_name);
extern void gl_value_writer_init(GlValueWriter *writer, Oid type, MemoryContext memory);

/* Scratch for short values, so that the common ones cost no allocation. */
#define GL_VALUE_SCRATCH 128
/*
 * Canonical bytes of one non-NULL value: they lie in the datum, in `scratch`, or in CurrentMemoryContext. The
 * settings must be pinned.
 */
extern GlBytes gl_value_bytes(GlValueWriter *writer, Datum value, char scratch[GL_VALUE_SCRATCH]);

/*
 * Append an image with every value in clear, personal ones too (as verify compares them). Needs a context that the
 * caller resets per row, and pinned settings.
 */
extern void gl_encode_clear_image(const GlEncoder *encoder, const Datum *values, const bool *nulls, GlBuffer *out);

#endif
