/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the fuzz targets share. Every target is one LLVMFuzzerTestOneInput: libFuzzer drives it in the preset `fuzz`,
 * replay_corpus.c in every other build.
 */
#ifndef COOLPLANE_TESTS_FUZZ_H
#define COOLPLANE_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An oracle: stays on in every build, unlike assert. */
#define MUST(cond)                                                                                                     \
        do {                                                                                                           \
                if (!(cond)) {                                                                                         \
                        (void)fprintf(stderr, "%s:%d: must hold: %s\n", __FILE__, __LINE__, #cond);                    \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

/* Copies that end where the data end, so that a sanitizer sees one byte too far. free(). */
uint8_t *fuzz_copy(const uint8_t *data, size_t size);
char *fuzz_text(const uint8_t *data,
                size_t size); /* with a NUL; text after a NUL inside is unseen by string functions */

/* A file in this process's own folder, removed at exit. Returns its path, valid until the next call for `name`. */
const char *fuzz_path(const char *name);
const char *fuzz_file(const char *name, const void *data, size_t size);

/* Patches a valid message: data is a list of { offset u16 little-endian, n u8 (n % 17 bytes follow) }; the offset is
 * taken modulo len. A message of fixed layout is so reachable from a few bytes of input. */
void fuzz_patch(uint8_t *buf, size_t len, const uint8_t *data, size_t size);

bool fuzz_same(double a, double b); /* bit for bit */

#endif
