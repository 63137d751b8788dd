// `toll print openapi|config|errors|metrics|scopes|steps [--json]`: the reference, written from the
// tables that the program itself works by. Markdown, or JSON with --json; openapi is always JSON.
// `make docs` stores it in docs/ and the tests fail when the stored text is another.
#pragma once

// argv[0] is the command's name. Exit 0: printed, 2: usage.
int cli_print(int argc, char **argv);
