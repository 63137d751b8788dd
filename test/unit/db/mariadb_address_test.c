// SPDX-License-Identifier: Apache-2.0
#include "db/mariadb_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "in_arena.h"

static MariadbAddress parsed(const char *text)
{
    MariadbAddress address;
    assert_true(mariadb_is_address(str_of(text)));
    assert_null(mariadb_address_parse(arena, str_of(text), &address));
    return address;
}

static void test_every_part_is_read(void **state)
{
    (void)state;
    MariadbAddress address =
        parsed("mysql://to%40ll:p%3Aw%2f@db.example:3307/books?ca=/etc/ca.pem");
    assert_string_equal(address.user, "to@ll");
    assert_string_equal(address.password, "p:w/");
    assert_string_equal(address.hosts[0].name, "db.example");
    assert_int_equal(address.hosts[0].port, 3307);
    assert_string_equal(address.database, "books");
    assert_string_equal(address.ca, "/etc/ca.pem");
    assert_null(address.socket);
    assert_true(address.tls);
}

static void test_tls_is_the_rule_but_for_loopback_and_sockets(void **state)
{
    (void)state;
    assert_true(parsed("mysql://u:p@10.0.0.1/b").tls);
    assert_int_equal(parsed("mariadb://u@10.0.0.1/b").hosts[0].port, 3306);
    assert_false(parsed("mysql://u:p@localhost/b").tls);
    assert_false(parsed("mysql://u:p@127.0.0.9:1/b").tls);
    assert_false(parsed("mysql://u:p@[::1]:3306/b").tls);
    assert_string_equal(parsed("mysql://u:p@[fe80::1]/b").hosts[0].name, "fe80::1");
    assert_false(parsed("mysql://u:p@db/b?socket=/run/s").tls);
    assert_true(parsed("mysql://u:p@db/b?tls=on&socket=/run/s").tls);
    assert_false(parsed("mysql://u:p@db/b?tls=off").tls);
    assert_true(parsed("mysql://u:p@localhost/b?tls=on").tls);
}

static void test_a_cluster_has_several_hosts(void **state)
{
    (void)state;
    MariadbAddress address = parsed("mysql://u:p@127.0.0.1:1,[::1]:2,localhost/b");
    assert_int_equal(address.host_count, 3);
    assert_string_equal(address.hosts[0].name, "127.0.0.1");
    assert_string_equal(address.hosts[1].name, "::1");
    assert_int_equal(address.hosts[1].port, 2);
    assert_int_equal(address.hosts[2].port, 3306);
    assert_false(address.tls);
    assert_true(parsed("mysql://u:p@127.0.0.1,db.example/b").tls);
    assert_int_equal(parsed("mysql://u:p@a,b,c,d,e,f,g,h,i/b").host_count, 9);
}

static void test_a_password_comes_from_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/toll_password_XXXXXX";
    int  file = mkstemp(path);
    assert_int_equal(write(file, "s3cret\n", 7), 7);
    close(file);
    Str text = str_print(arena, "mysql://u@db/b?passwordFile=%s", path);
    assert_string_equal(parsed(str_terminated(arena, text)).password, "s3cret");
    unlink(path);
    MariadbAddress address;
    Err           *err = mariadb_address_parse(arena, text, &address);
    assert_non_null(err);
    assert_int_equal(err->code, ERR_FIELD_INVALID);
}

static void test_what_is_no_address_is_refused_without_its_password(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "mysql://u:hunter2@a,,b/d",
        "mysql://u:hunter2@a,b,c,d,e,f,g,h,i,j/d",
        "mysql://",
        "postgres://user:hunter2@host/books",
        "/var/lib/user:hunter2@host/books",
        "mysql://user:hunter2@host",
        "mysql://user:hunter2@host/",
        "mysql://host/books",
        "mysql://:hunter2@host/books",
        "mysql://user:hunter2@/books",
        "mysql://user:hunter2@:3306/books",
        "mysql://user:hunter2@host:0/books",
        "mysql://user:hunter2@host:70000/books",
        "mysql://user:hunter2@host:x/books",
        "mysql://user:hunter2%@host/books",
        "mysql://user:hunter2%zz@host/books",
        "mysql://user:hunter2%00@host/books",
        "mysql://user:hunter2@ho%st/books",
        "mysql://user:hunter2@host/bo%oks",
        "mysql://user:hunter2@host/books?tls=maybe",
        "mysql://user:hunter2@host/books?tls=",
        "mysql://user:hunter2@host/books?colour=red",
        "mysql://user:hunter2@[]/books",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        MariadbAddress address;
        Err           *err = mariadb_address_parse(arena, str_of(bad[i]), &address);
        if (err == NULL)
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err->code, ERR_FIELD_INVALID);
        assert_null(strstr(str_terminated(arena, err->detail), "hunter2"));
    }
    assert_false(mariadb_is_address(STR("/var/lib/toll/books.sqlite")));
    assert_false(mariadb_is_address(STR("postgres://u@h/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_of(test_every_part_is_read),
        test_of(test_tls_is_the_rule_but_for_loopback_and_sockets),
        test_of(test_a_cluster_has_several_hosts),
        test_of(test_a_password_comes_from_a_file),
        test_of(test_what_is_no_address_is_refused_without_its_password),
    };
    return cmocka_run_group_tests_name("mariadb_address", tests, NULL, NULL);
}
