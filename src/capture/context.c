/*
 * context.c
 *		Who, from where, and why; see context.h.
 */
#include "capture/context.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "core/catalog.h"
#include "core/client.h"
#include "format/entry.h"
#include "ledger/rows.h"

/* A session alternates between few contexts (SET ROLE, SECURITY DEFINER functions). */
#define GL_CONTEXT_CACHE_SIZE 4

typedef struct GlKnownContext
{
	int64		context_id;
	uint8	   *content;		/* NULL: free */
	size_t		length;
	bool		durable;		/* its row was committed */
	/* what the content was made of, to see at a glance that it is still the same */
	Oid			session_user;
	Oid			user;
	char		application_name[NAMEDATALEN];
} GlKnownContext;

static GlKnownContext gl_known_contexts[GL_CONTEXT_CACHE_SIZE];
static Oid	gl_known_in = InvalidOid;	/* the context table the ids belong to */
static int	gl_next_victim = 0;
static GlKnownContext *gl_last_context = NULL;	/* the one used last, while role names are what they were */
static char *gl_actor = NULL;
static char *gl_reason = NULL;

static void
gl_context_field(GlBuffer *out, GlContextField field, const char *value)
{
	char	   *utf8;
	int			length;

	if (value == NULL || value[0] == '\0')
		return;
	utf8 = gl_to_utf8(value, &length);
	gl_context_write(out, field, utf8, length);
}

static void
gl_context_known_fields(GlBuffer *out, Oid user)
{
	gl_context_field(out, GL_CONTEXT_SESSION_USER, GetUserNameFromId(GetSessionUserId(), true));
	gl_context_field(out, GL_CONTEXT_CURRENT_USER, GetUserNameFromId(user, true));
	gl_context_field(out, GL_CONTEXT_CLIENT_ADDRESS, gl_client_address());
	gl_context_field(out, GL_CONTEXT_AUTHENTICATED_ID, gl_authenticated_id());
	gl_context_field(out, GL_CONTEXT_APPLICATION_NAME, application_name);
}

static int64
gl_context_insert(const GlBuffer *content)
{
	Relation	relation = gl_relation_open(GL_REL_CONTEXT, RowExclusiveLock);
	int64		context_id = nextval_internal(gl_relation_oid(GL_REL_CONTEXT_ID_SEQ), false);
	Datum		values[Natts_gl_context];
	bool		nulls[Natts_gl_context] = {0};

	values[Anum_gl_context_context_id - 1] = Int64GetDatum(context_id);
	values[Anum_gl_context_content - 1] = gl_bytea(content->data, content->length);
	CatalogTupleInsert(relation, heap_form_tuple(RelationGetDescr(relation), values, nulls));
	table_close(relation, NoLock);
	return context_id;
}

static void
gl_role_callback(Datum arg, int cacheid, uint32 hashvalue)
{
	gl_last_context = NULL;
}

/* The context used last, if it is still the one of this session, role and application name. */
static const GlKnownContext *
gl_context_unchanged(Oid user)
{
	const GlKnownContext *last = gl_last_context;

	if (last == NULL || last->user != user || last->session_user != GetSessionUserId() ||
		gl_known_in != gl_relation_oid(GL_REL_CONTEXT) || strcmp(last->application_name, application_name) != 0)
		return NULL;
	return last;
}

static void
gl_context_remember(GlKnownContext *known, Oid user)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterSyscacheCallback(AUTHOID, gl_role_callback, (Datum) 0);
	registered = true;
	/* a longer name cannot be compared here; it is simply built anew each time */
	if (strlen(application_name) >= sizeof(known->application_name))
		return;
	known->user = user;
	known->session_user = GetSessionUserId();
	strlcpy(known->application_name, application_name, sizeof(known->application_name));
	gl_last_context = known;
}

static void
gl_context_forget(GlKnownContext *known)
{
	if (gl_last_context == known)
		gl_last_context = NULL;
	if (known->content != NULL)
		pfree(known->content);
	known->content = NULL;
}

/* The id of this content: known to the session, or a new row. */
static int64
gl_context_id(const GlBuffer *content, Oid user)
{
	GlKnownContext *known;
	int			i;

	/* the extension was dropped and created again: other rows, other ids */
	if (gl_known_in != gl_relation_oid(GL_REL_CONTEXT))
		for (i = 0; i < GL_CONTEXT_CACHE_SIZE; i++)
			gl_context_forget(&gl_known_contexts[i]);
	gl_known_in = gl_relation_oid(GL_REL_CONTEXT);
	for (i = 0; i < GL_CONTEXT_CACHE_SIZE; i++)
	{
		known = &gl_known_contexts[i];
		if (known->content != NULL && known->length == content->length &&
			memcmp(known->content, content->data, content->length) == 0)
		{
			gl_context_remember(known, user);
			return known->context_id;
		}
	}
	known = &gl_known_contexts[gl_next_victim];
	gl_next_victim = (gl_next_victim + 1) % GL_CONTEXT_CACHE_SIZE;
	gl_context_forget(known);
	known->context_id = gl_context_insert(content);
	known->length = content->length;
	known->durable = false;
	known->content = MemoryContextAlloc(TopMemoryContext, Max(content->length, 1));
	memcpy(known->content, content->data, content->length);
	gl_context_remember(known, user);
	return known->context_id;
}

int64
gl_context_record(Oid user, const GlSalt *salt, GlBytes *claimed, GlHash *commitment)
{
	GlBuffer	context;
	size_t		known_length;
	int64		context_id;
	const GlKnownContext *last = gl_context_unchanged(user);

	gl_buffer_init(&context, gl_grow);
	gl_buffer_reserve(&context, 256);
	if (last != NULL)
	{
		gl_buffer_append(&context, last->content, last->length);
		context_id = last->context_id;
	}
	else
	{
		gl_context_known_fields(&context, user);
		context_id = gl_context_id(&context, user);
	}
	known_length = context.length;
	gl_context_field(&context, GL_CONTEXT_CLAIMED_ACTOR, gl_actor);
	gl_context_field(&context, GL_CONTEXT_CLAIMED_REASON, gl_reason);
	gl_context_commitment(salt, context.data, context.length, commitment);
	claimed->data = context.data + known_length;
	claimed->length = context.length - known_length;
	return context_id;
}

void
gl_context_end(bool committed)
{
	int			i;

	for (i = 0; i < GL_CONTEXT_CACHE_SIZE; i++)
	{
		GlKnownContext *known = &gl_known_contexts[i];

		if (known->content == NULL || known->durable)
			continue;
		if (committed)
			known->durable = true;
		else
			gl_context_forget(known);
	}
}

void
gl_context_init(void)
{
	DefineCustomStringVariable( /* name= */ "govledger.actor",
							   /* short_desc= */ "Person or system on whose behalf the application acts, recorded as claimed.",
							   /* long_desc= */ "Set it with SET LOCAL in each transaction.",
							   &gl_actor, /* bootValue= */ "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable( /* name= */ "govledger.reason",
							   /* short_desc= */ "Reason for the change, recorded as claimed.",
							   /* long_desc= */ "Set it with SET LOCAL in each transaction.",
							   &gl_reason, /* bootValue= */ "", PGC_USERSET, 0, NULL, NULL, NULL);
}
