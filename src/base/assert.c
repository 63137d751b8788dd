// SPDX-License-Identifier: Apache-2.0
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *fact, const char *file, int line)
{
    fprintf(stderr, "toll: broken promise at %s:%d: %s\n", file, line, fact);
    abort();
}
