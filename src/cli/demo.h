// `toll demo [--keep] [--json]`: the whole job on a temporary directory. Starts a server, declares
// meters, a plan and subscriptions, sends a month of usage with everything that goes wrong in real
// life, and prints what became of it and the bill of acct_meridian. All through the public API.
// Exit: 0 verdicts and bill are what they must be, 1 they are not or something failed, 2 wrong
// usage.
#pragma once

int cli_demo(int argc, char **argv);
