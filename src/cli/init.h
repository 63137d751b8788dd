// `toll init --data DIR [--json] [--seal-bits N]`: makes the data directory, a tenant, the project
// `default` and one key with every scope, and prints them; the key is shown this once.
#pragma once

// argv[0] is the command's name. Exit 0: made, 1: refused (why on stderr), 2: usage.
int cli_init(int argc, char **argv);
