// The 128-bit integers of gcc and clang, under names of our own.
#pragma once

__extension__ typedef __int128          Int128;
__extension__ typedef unsigned __int128 Uint128;
