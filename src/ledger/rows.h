/*
 * rows.h
 *		Column numbers of our tables, as ledger.sql creates them.
 */
#ifndef GL_LEDGER_ROWS_H
#define GL_LEDGER_ROWS_H

enum
{
	Anum_gl_ledger_only_row = 1,
	Anum_gl_ledger_origin,
	Anum_gl_ledger_generation,
	Anum_gl_ledger_system_identifier,
	Anum_gl_ledger_database,
	Natts_gl_ledger = Anum_gl_ledger_database
};

enum
{
	Anum_gl_former_log_generation = 1,
	Anum_gl_former_log_origin,
	Anum_gl_former_log_tree_size,
	Anum_gl_former_log_lost_from,
	Anum_gl_former_log_known_size,
	Anum_gl_former_log_known_root,
	Natts_gl_former_log = Anum_gl_former_log_known_root
};

enum
{
	Anum_gl_ledger_table_table_id = 1,
	Anum_gl_ledger_table_visibility,
	Anum_gl_ledger_table_append_only,
	Anum_gl_ledger_table_history,
	Anum_gl_ledger_table_protected_at,
	Anum_gl_ledger_table_unprotected_at,
	Natts_gl_ledger_table = Anum_gl_ledger_table_unprotected_at
};

enum
{
	Anum_gl_ledger_relation_table_id = 1,
	Anum_gl_ledger_relation_relation_id,
	Anum_gl_ledger_relation_relation,
	Anum_gl_ledger_relation_schema_name,
	Anum_gl_ledger_relation_relation_name,
	Natts_gl_ledger_relation = Anum_gl_ledger_relation_relation_name
};

enum
{
	Anum_gl_ledger_column_table_id = 1,
	Anum_gl_ledger_column_column_id,
	Anum_gl_ledger_column_attribute_number,
	Anum_gl_ledger_column_column_name,
	Anum_gl_ledger_column_type_name,
	Anum_gl_ledger_column_personal,
	Anum_gl_ledger_column_key_ordinal,
	Anum_gl_ledger_column_dropped,
	Natts_gl_ledger_column = Anum_gl_ledger_column_dropped
};

enum
{
	Anum_gl_context_context_id = 1,
	Anum_gl_context_content,
	Natts_gl_context = Anum_gl_context_content
};

enum
{
	Anum_gl_entry_transaction_id = 1,
	Anum_gl_entry_position,
	Anum_gl_entry_entry_time,
	Anum_gl_entry_records,
	Anum_gl_entry_context_id,
	Anum_gl_entry_generation,
	Anum_gl_entry_record_root,
	Anum_gl_entry_context_commitment,
	Anum_gl_entry_secret,
	Anum_gl_entry_record_secret,
	Anum_gl_entry_claimed,
	Anum_gl_entry_actor_signature,
	Anum_gl_entry_content,
	Natts_gl_entry = Anum_gl_entry_content
};

enum
{
	Anum_gl_record_chunk_transaction_id = 1,
	Anum_gl_record_chunk_generation,
	Anum_gl_record_chunk_first_record,
	Anum_gl_record_chunk_content,
	Natts_gl_record_chunk = Anum_gl_record_chunk_content
};

enum
{
	Anum_gl_personal_transaction_id = 1,
	Anum_gl_personal_generation,
	Anum_gl_personal_record,
	Anum_gl_personal_content,
	Natts_gl_personal = Anum_gl_personal_content
};

enum
{
	Anum_gl_leaf_first_leaf = 1,
	Anum_gl_leaf_generation,
	Anum_gl_leaf_transaction_ids,
	Natts_gl_leaf = Anum_gl_leaf_transaction_ids
};

enum
{
	Anum_gl_seal_height = 1,
	Anum_gl_seal_first_leaf,
	Anum_gl_seal_tree_size,
	Anum_gl_seal_sealed_at,
	Anum_gl_seal_snapshot,
	Anum_gl_seal_root,
	Anum_gl_seal_content,
	Anum_gl_seal_right_edge,
	Natts_gl_seal = Anum_gl_seal_right_edge
};

enum
{
	Anum_gl_tile_level = 1,
	Anum_gl_tile_n,
	Anum_gl_tile_root,
	Anum_gl_tile_hashes,
	Natts_gl_tile = Anum_gl_tile_hashes
};

#endif
