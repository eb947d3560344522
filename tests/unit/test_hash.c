/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/base/hash.h"

static void pinned_vectors(void **state) /* FIPS 180-2, and a digest taken half-way */
{
        (void)state;
        struct hash h;
        uint8_t digest[HASH_LEN];
        char hex[2 * HASH_LEN + 1];

        assert_int_equal(hash_init(&h), 0);
        hash_digest(&h, digest);
        assert_string_equal(hash_hex(digest, HASH_LEN, hex),
                            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        hash_add(&h, "ab", 2);
        hash_digest(&h, digest);
        hash_add(&h, "c", 1);
        hash_digest(&h, digest);
        assert_string_equal(hash_hex(digest, HASH_LEN, hex),
                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        hash_free(&h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(pinned_vectors)};
        return cmocka_run_group_tests(tests, NULL, NULL);
}
