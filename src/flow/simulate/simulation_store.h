// What only this folder needs of the table of simulations.
#pragma once

#include "flow/simulate/simulation.h"

Err *simulation__add(DbTx *tx, const Simulation *simulation) MUST_CHECK;
