// All cells of one meter and one account on their way into a range: hours come in in any order,
// rows go out sorted, hours first, then the days made from them. Used by seals, backfills and
// recounts, so that all three give the same rows.
#pragma once

#include "flow/aggregate/cell.h"
#include "flow/aggregate/keys.h"

typedef struct CellRows CellRows;

// Takes one finished row; suffix and value are borrowed until it returns.
typedef Err *CellRowTake(void *context, Str suffix, Str value);

CellRows *cell_rows_open(void);
void      cell_rows_close(CellRows *rows);

// What follows belongs to this meter and account.
void cell_rows_begin(CellRows *rows, uint32_t project, uint32_t meter, uint32_t account);
// The cell's latest_id and the dimensions are copied.
void cell_rows_add(CellRows *rows, Aggregation aggregation, int64_t hour, Str dimensions,
                   const Cell *cell);
Err *cell_rows_finish(CellRows *rows, Aggregation aggregation, CellRowTake *take,
                      void *context) MUST_CHECK;
