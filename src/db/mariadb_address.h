// Where the books are, when they are not a file:
//   mysql://user[:password]@host[:port]/database[?socket=PATH&tls=off|on&ca=FILE&passwordFile=FILE]
// User, password and values are percent-encoded. TLS with a verified certificate is the rule; it is
// off for a socket and for a loopback host, unless `tls` says so.
#pragma once

#include "base/error.h"

typedef struct MariadbAddress {
    const char *user, *password, *host, *database;  // each ends with a 0
    const char *socket;                             // NULL: by TCP
    const char *ca;                                 // NULL: the system's
    unsigned    port;
    bool        tls;
} MariadbAddress;

bool mariadb_is_address(Str place);  // begins with mysql:// or mariadb://

// FIELD_INVALID says what is wrong, and never repeats the password.
Err *mariadb_address_parse(Arena *arena, Str text, MariadbAddress *address) MUST_CHECK;
