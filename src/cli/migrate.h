// toll migrate status|plan|up|verify --data DIR [--config FILE] [--json]: the books' schema.
#pragma once

int cli_migrate(int argc, char **argv);
