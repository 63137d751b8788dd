// Where the books are, when they are not a file:
//   mysql://user[:password]@host[:port]/database[?socket=PATH&tls=off|on&ca=FILE&passwordFile=FILE]
// User, password and values are percent-encoded. TLS with a verified certificate is the rule; it is
// off for a socket and for loopback hosts, unless `tls` says so. Several hosts, with commas, are
// the nodes of one cluster: any of them that answers will do.
#pragma once

#include "base/error.h"

enum { MARIADB_HOSTS_MAX = 9 };

typedef struct MariadbHost {
    const char *name;
    unsigned    port;
} MariadbHost;

typedef struct MariadbAddress {
    const char *user, *password, *database;  // each ends with a 0
    MariadbHost hosts[MARIADB_HOSTS_MAX];
    size_t      host_count;  // 1..
    const char *socket;      // NULL: by TCP
    const char *ca;          // NULL: the system's
    bool        tls;
} MariadbAddress;

bool mariadb_is_address(Str place);  // begins with mysql:// or mariadb://

// FIELD_INVALID says what is wrong, and never repeats the password.
Err *mariadb_address_parse(Arena *arena, Str text, MariadbAddress *address) MUST_CHECK;
