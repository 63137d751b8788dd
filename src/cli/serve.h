// `toll serve`: the server, from its data directory to its last answer.
#pragma once

// Opens books, catalog and usage, listens, and serves until SIGTERM or SIGINT; then answers what
// was begun and ends with 0. 1: it could not start. 2: wrong usage.
int cli_serve(int argc, char **argv);
