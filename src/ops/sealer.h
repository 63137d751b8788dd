// Seals the ledgers of all projects, each second: behind every commit the chain follows.
#pragma once

#include "catalog/catalog.h"

typedef struct Sealer Sealer;

Sealer *sealer_open(Db *books, Catalog *catalog);
void    sealer_close(Sealer *sealer);  // NULL is allowed; what is not sealed is sealed later
