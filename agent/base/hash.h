/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* SHA-256 through OpenSSL. Incremental; a copy may be finished while the original goes on. */
#ifndef COOLPLANE_BASE_HASH_H
#define COOLPLANE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32

struct hash {
        void *ctx;
};

int hash_init(struct hash *h); /* 0 or -ENOMEM */
void hash_add(struct hash *h, const void *data, size_t len);
/* Digest of all added so far; h can go on. */
void hash_digest(const struct hash *h, uint8_t *ret_digest);
void hash_free(struct hash *h);

/* Lower-case hex of n bytes; buf ≥ 2n + 1. Returns buf. */
char *hash_hex(const uint8_t *digest, size_t n, char *buf);

#endif
