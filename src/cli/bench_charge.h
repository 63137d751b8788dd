// `toll bench charge`: durable one-off charges a second through the server, from many connections.
#pragma once

extern const char BENCH_CHARGE_USAGE[];

int bench_charge(int argc, char **argv);
