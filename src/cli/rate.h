// `toll rate --plan FILE --usage FILE`: the pricing core offline. FILE is a path, or - for standard
// input (once). Prints the bill as JSON. Exit 0: priced, 1: refused (the problem on stderr), 2:
// usage.
#pragma once

int cli_rate(int argc, char **argv);
