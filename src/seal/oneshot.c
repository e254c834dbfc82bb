/*
 * oneshot.c
 *		Both ends of a one-shot worker; see oneshot.h.
 *
 * Request and answer go through a dynamic shared memory segment: the request in front, behind it a message queue into
 * which the worker's messages go as they would go to a client. So an error arrives with SQLSTATE, detail and hint.
 */
#include "seal/oneshot.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "libpq/pqformat.h"
#include "libpq/pqmq.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "core/catalog.h"
#include "seal/follow.h"
#include "seal/query.h"

#define GL_ONESHOT_QUEUE_SIZE 16384
/* type of the message that carries the result: any letter that is no error or notice */
#define GL_ONESHOT_RESULT 'D'

/* What stands in front of the segment. */
typedef struct GlOneshotHead
{
	Oid			database;
	GlOneshotTask task;
	bool		old_key_lost;
	Size		reason_offset;	/* in strings */
	Size		actor_offset;
	Size		queue_offset;	/* from the start of the segment */
	char		strings[FLEXIBLE_ARRAY_MEMBER]; /* new key, reason, actor, each zero-terminated */
} GlOneshotHead;

/* --- the session --- */

static dsm_segment *
gl_oneshot_segment(const GlOneshotRequest *request, shm_mq_handle **queue)
{
	const char *actor = GetUserNameFromId(GetSessionUserId(), false);
	Size		reason_offset = strlen(request->new_key) + 1;
	Size		actor_offset = reason_offset + strlen(request->reason) + 1;
	Size		queue_offset = MAXALIGN(offsetof(GlOneshotHead, strings) + actor_offset + strlen(actor) + 1);
	dsm_segment *segment = dsm_create(queue_offset + GL_ONESHOT_QUEUE_SIZE, 0);
	GlOneshotHead *head = dsm_segment_address(segment);
	shm_mq	   *mq;

	head->database = MyDatabaseId;
	head->task = request->task;
	head->old_key_lost = request->old_key_lost;
	head->reason_offset = reason_offset;
	head->actor_offset = actor_offset;
	head->queue_offset = queue_offset;
	strcpy(head->strings, request->new_key);
	strcpy(head->strings + reason_offset, request->reason);
	strcpy(head->strings + actor_offset, actor);
	mq = shm_mq_create((char *) head + queue_offset, GL_ONESHOT_QUEUE_SIZE);
	shm_mq_set_receiver(mq, MyProc);
	*queue = shm_mq_attach(mq, segment, NULL);
	return segment;
}

static BackgroundWorkerHandle *
gl_oneshot_start(dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, sizeof(worker.bgw_library_name), "govledger");
	snprintf(worker.bgw_function_name, sizeof(worker.bgw_function_name), "gl_oneshot_main");
	snprintf(worker.bgw_name, BGW_MAXLEN, "govledger one-shot sealer for process %d", MyProcPid);
	snprintf(worker.bgw_type, BGW_MAXLEN, "govledger one-shot sealer");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not start a process that seals: out of background worker slots"),
				 errhint("You might need to increase max_worker_processes.")));
	return handle;
}

/* Take one message; true if it was the result. */
static bool
gl_oneshot_message(const char *data, Size length, char **result)
{
	StringInfoData message;
	ErrorData	error;
	char		type;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, data, length);
	type = pq_getmsgbyte(&message);
	switch (type)
	{
		case 'E':
		case 'N':
			pq_parse_errornotice(&message, &error);
			/* the end of that process is not the end of this one */
			error.elevel = Min(error.elevel, ERROR);
			ThrowErrorData(&error);
			return false;
		case GL_ONESHOT_RESULT:
			*result = pq_getmsgbyte(&message) ? pstrdup(pq_getmsgrawstring(&message)) : NULL;
			return true;
		default:
			/* parameter status and the like */
			return false;
	}
}

/* Read until the worker has gone. */
static char *
gl_oneshot_receive(shm_mq_handle *queue)
{
	char	   *result = NULL;
	bool		done = false;

	for (;;)
	{
		Size		length;
		void	   *data;

		if (shm_mq_receive(queue, &length, &data, false) != SHM_MQ_SUCCESS)
			break;
		done |= gl_oneshot_message(data, length, &result);
	}
	if (!done)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("the process that seals ended without an answer"),
				 errhint("The server log may say why.")));
	return result;
}

char *
gl_oneshot_run(const GlOneshotRequest *request)
{
	BackgroundWorkerHandle *handle;
	shm_mq_handle *queue;
	dsm_segment *segment;
	char	   *result;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot seal or sign during recovery"),
				 errhint("Run this on the primary.")));
	segment = gl_oneshot_segment(request, &queue);
	handle = gl_oneshot_start(segment);
	shm_mq_set_handle(queue, handle);
	PG_TRY();
	{
		result = gl_oneshot_receive(queue);
		(void) WaitForBackgroundWorkerShutdown(handle);
	}
	PG_CATCH();
	{
		/* the session was cancelled, or the worker failed and is ending anyway */
		TerminateBackgroundWorker(handle);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dsm_detach(segment);
	return result;
}

/* --- the worker --- */

static void
gl_oneshot_answer(const char *result)
{
	StringInfoData message;

	pq_beginmessage(&message, GL_ONESHOT_RESULT);
	pq_sendbyte(&message, result != NULL);
	/* the encoding of the database on both sides */
	appendBinaryStringInfo(&message, result != NULL ? result : "", (result != NULL ? strlen(result) : 0) + 1);
	pq_endmessage(&message);
}

/* Connect and behave: the answer in the database's encoding, the requester as the claimed actor of what is recorded. */
static void
gl_oneshot_connect(const GlOneshotHead *head)
{
	BackgroundWorkerInitializeConnectionByOid(head->database, InvalidOid, 0);
	StartTransactionCommand();
	SetClientEncoding(GetDatabaseEncoding());
	CommitTransactionCommand();
	gl_query_pin_settings();
	SetConfigOption("application_name", "govledger one-shot sealer", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("govledger.actor", head->strings + head->actor_offset, PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("govledger.reason", head->strings + head->reason_offset, PGC_USERSET, PGC_S_OVERRIDE);
}

void
gl_oneshot_main(Datum argument)
{
	dsm_segment *segment;
	GlOneshotHead *head;
	shm_mq	   *mq;
	char	   *result = NULL;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	CurrentResourceOwner = ResourceOwnerCreate(NULL, "govledger one-shot sealer");
	segment = dsm_attach(DatumGetUInt32(argument));
	/* the session was cancelled meanwhile */
	if (segment == NULL)
		proc_exit(0);
	dsm_pin_mapping(segment);
	head = dsm_segment_address(segment);
	mq = (shm_mq *) ((char *) head + head->queue_offset);
	shm_mq_set_sender(mq, MyProc);
	pq_redirect_to_shm_mq(segment, shm_mq_attach(mq, segment, NULL));

	gl_oneshot_connect(head);
	switch (head->task)
	{
		case GL_ONESHOT_SEAL:
			result = gl_oneshot_seal();
			break;
		case GL_ONESHOT_FOLLOW:
			(void) gl_oneshot_seal();
			if (gl_follower != NULL)
				gl_follower->run();
			break;
		case GL_ONESHOT_ROTATE:
			result = gl_oneshot_rotate(head->strings, head->strings + head->reason_offset, head->old_key_lost);
			break;
	}
	gl_oneshot_answer(result);
	proc_exit(0);
}
