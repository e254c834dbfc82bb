/*
 * compat.h
 *		Differences between PostgreSQL 14 and 18, each with its reason. No other file tests a version.
 */
#ifndef GL_CORE_COMPAT_H
#define GL_CORE_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 140000 || PG_VERSION_NUM >= 190000
#error "govledger supports PostgreSQL 14 to 18"
#endif

/* These minors broke the ABI of extensions (ResultRelInfo) and were replaced within days. */
#if PG_VERSION_NUM == 150009 || PG_VERSION_NUM == 160005 || PG_VERSION_NUM == 170001
#error "this PostgreSQL minor release has a broken extension ABI: use the next one"
#endif

/* 16: varlena macros moved out of postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 15: reserve the prefix so that a misspelt setting is an error */
#if PG_VERSION_NUM >= 150000
#define gl_reserve_setting_prefix(prefix) MarkGUCPrefixReserved(prefix)
#else
#define gl_reserve_setting_prefix(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* 15: InitMaterializedSRF; 16 renamed it from SetSingleFuncCall (backpatched as an alias in 15) */
#if PG_VERSION_NUM >= 150000
#define gl_init_materialized_srf(fcinfo) InitMaterializedSRF(fcinfo, 0)
#else
extern void gl_init_materialized_srf(FunctionCallInfo fcinfo);
#endif

/* 17: named wait events for extensions */
#if PG_VERSION_NUM >= 170000
#define gl_wait_event(name) WaitEventExtensionNew(name)
#else
#define gl_wait_event(name) PG_WAIT_EXTENSION
#endif

/* 16: the authenticated identity moved out of Port, to be shared with parallel workers (used in client.c only) */
#if PG_VERSION_NUM >= 160000
#define GL_AUTHENTICATED_ID (MyClientConnectionInfo.authn_id)
#else
#define GL_AUTHENTICATED_ID (MyProcPort != NULL ? MyProcPort->authn_id : NULL)
#endif

/* 15: the current WAL timeline of a primary */
#if PG_VERSION_NUM >= 150000
#define gl_wal_timeline() GetWALInsertionTimeLine()
#else
#define gl_wal_timeline() (ThisTimeLineID)
#endif

/* 18: virtual generated columns are not stored */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* 16: object_ownercheck and friends replaced one function per class */
#if PG_VERSION_NUM >= 160000
#define gl_owns_relation(relid) object_ownercheck(RelationRelationId, relid, GetUserId())
#else
#define gl_owns_relation(relid) pg_class_ownercheck(relid, GetUserId())
#endif

/* 16: the same for types */
#if PG_VERSION_NUM >= 160000
#define gl_owns_type(oid) object_ownercheck(TypeRelationId, oid, GetUserId())
#else
#define gl_owns_type(oid) pg_type_ownercheck(oid, GetUserId())
#endif

/* 17: a generated column can get another expression */
#if PG_VERSION_NUM >= 170000
#define gl_sets_expression(subtype) ((subtype) == AT_SetExpression)
#else
#define gl_sets_expression(subtype) false
#endif

/* 16: the same for databases */
#if PG_VERSION_NUM >= 160000
#define gl_owns_database(oid) object_ownercheck(DatabaseRelationId, oid, GetUserId())
#else
#define gl_owns_database(oid) pg_database_ownercheck(oid, GetUserId())
#endif

/* 16: the same for the right to use a schema */
#if PG_VERSION_NUM >= 160000
#define gl_may_use_schema(oid, role) (object_aclcheck(NamespaceRelationId, oid, role, ACL_USAGE) == ACLCHECK_OK)
#else
#define gl_may_use_schema(oid, role) (pg_namespace_aclcheck(oid, role, ACL_USAGE) == ACLCHECK_OK)
#endif

/* 15: shared memory is asked for in a hook; before, in _PG_init itself */
#if PG_VERSION_NUM >= 150000
#define GL_SHMEM_REQUEST_HOOK
#endif

/* 17: a timeout that also ends transactions of background workers */
#if PG_VERSION_NUM >= 170000
#define GL_TRANSACTION_TIMEOUT "transaction_timeout"
#endif

/* 15: the flush position comes with a timeline */
#if PG_VERSION_NUM >= 150000
#define gl_flush_position() GetFlushRecPtr(NULL)
#else
#define gl_flush_position() GetFlushRecPtr()
#endif

/* 18: index scans report to EXPLAIN through one more argument */
#if PG_VERSION_NUM >= 180000
#define gl_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, norderbys)
#else
#define gl_index_beginscan(heap, index, snapshot, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#endif

/* 16: whether an update needs index entries is no yes or no any more; those of summarizing indexes alone are none to us */
#if PG_VERSION_NUM >= 160000
#define GlUpdateIndexes TU_UpdateIndexes
#define gl_update_needs_indexes(indexes) ((indexes) == TU_All)
#else
#define GlUpdateIndexes bool
#define gl_update_needs_indexes(indexes) (indexes)
#endif

/* 16: index entries of summarizing access methods alone may be asked for */
#if PG_VERSION_NUM >= 160000
#define gl_insert_index_tuples(result_relation, slot, estate) \
	ExecInsertIndexTuples(result_relation, slot, estate, false, false, NULL, NIL, false)
#else
#define gl_insert_index_tuples(result_relation, slot, estate) \
	ExecInsertIndexTuples(result_relation, slot, estate, false, false, NULL, NIL)
#endif

/* 18: written before the declaration, as in C11, instead of behind it */
#if PG_VERSION_NUM >= 180000
#define GL_NORETURN pg_noreturn
#else
#define GL_NORETURN __attribute__((noreturn))
#endif

#endif
