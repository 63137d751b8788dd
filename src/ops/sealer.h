// Seals the ledgers of all projects, each second: behind every commit the chain follows. Of several
// servers on the same books one does, by a lease; when it dies another one goes on once the lease
// has ended.
#pragma once

#include "catalog/catalog.h"

typedef struct Sealer Sealer;

// holder: who asks for the lease; STR_NONE: no other process has the books open.
Sealer *sealer_open(Db *books, Catalog *catalog, Str holder);
void    sealer_close(Sealer *sealer);  // NULL is allowed; what is not sealed is sealed later
