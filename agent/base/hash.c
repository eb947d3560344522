/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

int hash_init(struct hash *h)
{
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        if (!ctx)
                return -ENOMEM;
        if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
                EVP_MD_CTX_free(ctx);
                return -ENOMEM;
        }
        h->ctx = ctx;
        return 0;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
        (void)EVP_DigestUpdate(h->ctx, data, len);
}

void hash_digest(const struct hash *h, uint8_t *ret_digest)
{
        EVP_MD_CTX *copy = EVP_MD_CTX_new();

        memset(ret_digest, 0, HASH_LEN);
        if (copy && EVP_MD_CTX_copy_ex(copy, h->ctx) == 1)
                (void)EVP_DigestFinal_ex(copy, ret_digest, NULL);
        EVP_MD_CTX_free(copy);
}

void hash_free(struct hash *h)
{
        EVP_MD_CTX_free(h->ctx);
        h->ctx = NULL;
}

char *hash_hex(const uint8_t *digest, size_t n, char *buf)
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < n; i++) {
                buf[2 * i] = digits[digest[i] >> 4];
                buf[2 * i + 1] = digits[digest[i] & 15];
        }
        buf[2 * n] = '\0';
        return buf;
}
