// Between the files of charges.
#pragma once

#include "flow/ledger/charge.h"

Err *charge_row_add(DbTx *tx, ProjectId project, const AccountCharge *charge,
                    bool *added) MUST_CHECK;
