/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Counts allocations while `armed`; link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. */
#ifndef COOLPLANE_TEST_ALLOC_COUNT_H
#define COOLPLANE_TEST_ALLOC_COUNT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static volatile bool armed;
static volatile unsigned allocations; /* a compiler knows that malloc changes no variable of ours */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
        allocations += armed;
        return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
        allocations += armed;
        return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
        allocations += armed;
        return __real_realloc(p, n);
}

/* The wrapper does count: one allocation more. */
static inline void alloc_count_counts(void)
{
        static void *volatile block;
        const unsigned before = allocations;

        armed = true;
        block = malloc(1);
        free(block);
        armed = false;
        assert_int_equal(allocations, before + 1);
}

#endif
