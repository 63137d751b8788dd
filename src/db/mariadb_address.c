// SPDX-License-Identifier: Apache-2.0
#include "db/mariadb_address.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const Str schemes[] = { { "mysql://", 8 }, { "mariadb://", 10 } };

enum { PORT_USUAL = 3306, PASSWORD_BYTES_MAX = 1024 };

static Err *wrong(Arena *arena, const char *what)
{
    return refuse(arena, ERR_FIELD_INVALID, STR_NONE,
                  "%s; an address of books is mysql://user:password@host:port/database", what);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// Percent-decoded, with a 0 behind it. NULL: not percent-encoded text, or a 0 in it.
static const char *decoded(Arena *arena, Str text)
{
    char  *out = arena_take(arena, text.length + 1);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++) {
        int c = (unsigned char)text.at[i];
        if (c == '%') {
            int high = i + 2 < text.length ? hex_digit(text.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
            c = low < 0 ? 0 : 16 * high + low;
            i += 2;
        }
        if (c == 0)
            return NULL;
        out[length++] = (char)c;
    }
    out[length] = 0;
    return out;
}

// What stands before the last `mark`, which leaves with it; false when there is none.
static bool cut_before_last(Str *text, char mark, Str *before)
{
    for (size_t i = text->length; i > 0; i--)
        if (text->at[i - 1] == mark) {
            *before = (Str){ text->at, i - 1 };
            *text = (Str){ text->at + i, text->length - i };
            return true;
        }
    return false;
}

static Err *password_read(Arena *arena, const char *path, const char **password)
{
    char *text = arena_take(arena, PASSWORD_BYTES_MAX + 1);
    int   file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE, "passwordFile of the books: %s",
                      strerror(errno));
    ssize_t length = read(file, text, PASSWORD_BYTES_MAX);
    close(file);
    if (length < 0)
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE, "passwordFile of the books: %s",
                      strerror(errno));
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    text[length] = 0;
    *password = text;
    return NULL;
}

static Err *option_take(Arena *arena, Str name, Str encoded, MariadbAddress *address)
{
    const char *value = decoded(arena, encoded);
    if (value == NULL || *value == 0)
        return wrong(arena, "an option behind ? has no value");
    if (str_equal(name, STR("socket"))) {
        address->socket = value;
    } else if (str_equal(name, STR("ca"))) {
        address->ca = value;
    } else if (str_equal(name, STR("passwordFile"))) {
        return password_read(arena, value, &address->password);
    } else if (str_equal(name, STR("tls"))) {
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
            return wrong(arena, "tls is on or off");
        address->tls = strcmp(value, "on") == 0;
    } else {
        return refuse(arena, ERR_FIELD_INVALID, STR_NONE,
                      "the address of books has no option %.*s: socket, tls, ca, passwordFile",
                      STR_ARG(name));
    }
    return NULL;
}

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

// host, host:port, [::1], [::1]:port
static Err *host_read(Arena *arena, Str text, MariadbHost *read)
{
    uint64_t port = PORT_USUAL;
    Str      host = text, before;
    bool     is_bracketed = text.length > 0 && text.at[0] == '[';
    if (is_bracketed && text.at[text.length - 1] == ']')
        host = (Str){ text.at + 1, text.length - 2 };
    else if (cut_before_last(&text, ':', &before)) {
        if (!str_whole(text, 65535, &port) || port == 0)
            return wrong(arena, "the port is a number from 1 to 65535");
        host = before;
        if (is_bracketed)
            host = (Str){ before.at + 1, before.length < 2 ? 0 : before.length - 2 };
    }
    read->name = decoded(arena, host);
    read->port = (unsigned)port;
    return read->name == NULL || *read->name == 0 ? wrong(arena, "there is no host") : NULL;
}

static Err *hosts_read(Arena *arena, Str text, MariadbAddress *address)
{
    do {
        Str host = str_cut(&text, ',');
        if (address->host_count == MARIADB_HOSTS_MAX)
            return wrong(arena, "there are more than 9 hosts");
        TRY(host_read(arena, host, &address->hosts[address->host_count++]));
    } while (text.length > 0);
    return NULL;
}

static bool is_far(const MariadbAddress *address)
{
    for (size_t i = 0; i < address->host_count; i++)
        if (!is_loopback(address->hosts[i].name))
            return true;
    return false;
}

static Err *user_read(Arena *arena, Str text, MariadbAddress *address)
{
    Str user = str_cut(&text, ':');
    address->user = decoded(arena, user);
    address->password = decoded(arena, text);
    if (address->user == NULL || *address->user == 0 || address->password == NULL)
        return wrong(arena, "there is no user, or its name or password is not percent-encoded");
    return NULL;
}

bool mariadb_is_address(Str place)
{
    return str_starts(place, schemes[0]) || str_starts(place, schemes[1]);
}

Err *mariadb_address_parse(Arena *arena, Str text, MariadbAddress *address)
{
    size_t scheme = str_starts(text, schemes[0]) ? schemes[0].length : schemes[1].length;
    Str    rest = { text.at + scheme, text.length - scheme }, who;
    Str    where = str_cut(&rest, '?');
    Str    database = where, host;
    *address = (MariadbAddress){ 0 };
    if (!mariadb_is_address(text))
        return wrong(arena, "it does not begin with mysql:// or mariadb://");
    if (!cut_before_last(&database, '/', &host) || database.length == 0)
        return wrong(arena, "there is no database");
    if (!cut_before_last(&host, '@', &who))
        return wrong(arena, "there is no user");
    TRY(user_read(arena, who, address));
    TRY(hosts_read(arena, host, address));
    address->database = decoded(arena, database);
    if (address->database == NULL)
        return wrong(arena, "the database's name is not percent-encoded");
    bool is_socket = false;
    for (Str options = rest; options.length > 0;) {
        Str option = str_cut(&options, '&');
        is_socket = is_socket || str_starts(option, STR("socket="));
    }
    address->tls = !is_socket && is_far(address);
    while (rest.length > 0) {
        Str option = str_cut(&rest, '&');
        Str name = str_cut(&option, '=');
        TRY(option_take(arena, name, option, address));
    }
    return NULL;
}
