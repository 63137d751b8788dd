// toll verify --data DIR [--json]: exit 0 when nothing differs, 1 on any drift, 2 on wrong usage.
#pragma once

int cli_verify(int argc, char **argv);
