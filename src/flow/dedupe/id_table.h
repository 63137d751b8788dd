// The ids of one unsealed generation: an exact table of fixed size from id to row number.
// One thread adds; any thread may find at the same time. A row must be written before it is added.
#pragma once

#include "base/hash.h"

typedef struct IdTable IdTable;

#define ID_TABLE_NONE UINT32_MAX

IdTable *id_table_open(size_t rows);  // at most that many are ever added
void     id_table_close(IdTable *table);
void     id_table_clear(IdTable *table);      // nobody may be looking
void     id_table_prefetch(const IdTable *table, Hash128 id);
uint32_t id_table_find(const IdTable *table, Hash128 id);  // row, or ID_TABLE_NONE
void     id_table_add(IdTable *table, Hash128 id, uint32_t row);  // id must not be there
void     id_table_put(IdTable *table, Hash128 id, uint32_t row);  // replaces the row when it is
