/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The mode ladder: every entry of its table, what must hold of any such table, the table in ARCHITECTURE.md, and every
 * sequence of inputs up to a length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safety/ladder.h"

static void each_entry(void **state)
{
        static const char want[LADDER_MODES][LADDER_INPUTS + 1] = {"AAAHFFRA", "AAAHFFRH", "AFFFFFRF", "RRRRRRRH"};
        static const char letter[LADDER_MODES + 1] = "AHFR";

        (void)state;
        for (unsigned m = 0; m < LADDER_MODES; m++)
                for (unsigned i = 0; i < LADDER_INPUTS; i++)
                        assert_int_equal(letter[ladder_next((enum ladder_mode)m, (enum ladder_input)i)], want[m][i]);
}

static void a_worse_input_never_leads_higher(void **state)
{
        (void)state;
        for (unsigned m = 0; m < LADDER_MODES; m++)
                for (unsigned i = 0; i + 1 < LADDER_REARM; i++)
                        assert_true(ladder_next((enum ladder_mode)m, (enum ladder_input)i) <=
                                    ladder_next((enum ladder_mode)m, (enum ladder_input)(i + 1)));
}

/* From FALLBACK up only by PROVEN, from RELEASE only by REARM, and then not to where anything new is tried. */
static void every_sequence(void **state)
{
        enum { LENGTH = 6 };
        unsigned long n = 1;

        (void)state;
        for (unsigned k = 0; k < LENGTH; k++)
                n *= LADDER_INPUTS;
        for (unsigned long s = 0; s < LADDER_MODES * n; s++) {
                enum ladder_mode m = (enum ladder_mode)(s / n);
                unsigned long rest = s % n;

                for (unsigned k = 0; k < LENGTH; k++, rest /= LADDER_INPUTS) {
                        const enum ladder_input in = (enum ladder_input)(rest % LADDER_INPUTS);
                        const enum ladder_mode to = ladder_next(m, in);

                        assert_true(to < LADDER_MODES);
                        if (in == LADDER_LOST)
                                assert_int_equal(to, LADDER_RELEASE);
                        if (in == LADDER_DEGRADED || in == LADDER_OVERDUE)
                                assert_true(to >= LADDER_FALLBACK);
                        if (m == LADDER_FALLBACK && to < m)
                                assert_true(in == LADDER_PROVEN);
                        if (m == LADDER_RELEASE && to != m)
                                assert_true(in == LADDER_REARM && to == LADDER_HOLD);
                        if (in == LADDER_NO_PLAN)
                                assert_true(to != LADDER_ACTIVE);
                        m = to;
                }
        }
}

static void out_of_range_is_release(void **state)
{
        (void)state;
        assert_int_equal(ladder_next(LADDER_MODES, LADDER_CLEAN), LADDER_RELEASE);
        assert_int_equal(ladder_next(LADDER_ACTIVE, LADDER_INPUTS), LADDER_RELEASE);
        assert_string_equal(ladder_mode_str(LADDER_MODES), "?");
        assert_string_equal(ladder_input_str(LADDER_INPUTS), "?");
}

static char *read_file(const char *path)
{
        FILE *f = fopen(path, "rb");
        char *text = NULL;
        size_t cap = 0;

        assert_non_null(f);
        assert_true(getdelim(&text, &cap, '\0', f) > 0);
        (void)fclose(f);
        return text;
}

static void the_document_shows_the_table(void **state)
{
        char *text = read_file(SOURCE_DIR "/ARCHITECTURE.md");

        (void)state;
        for (unsigned m = 0; m < LADDER_MODES; m++) {
                char line[256];
                int n = snprintf(line, sizeof line, "| %s |", ladder_mode_str((enum ladder_mode)m));

                for (unsigned i = 0; i < LADDER_INPUTS; i++)
                        n += snprintf(line + n, sizeof line - (size_t)n, " %s |",
                                      ladder_mode_str(ladder_next((enum ladder_mode)m, (enum ladder_input)i)));
                if (strstr(text, line) == NULL)
                        fail_msg("ARCHITECTURE.md lacks the row %s", line);
        }
        char head[256];
        int n = snprintf(head, sizeof head, "| in |");

        for (unsigned i = 0; i < LADDER_INPUTS; i++)
                n += snprintf(head + n, sizeof head - (size_t)n, " %s |", ladder_input_str((enum ladder_input)i));
        assert_non_null(strstr(text, head));
        free(text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(each_entry),
            cmocka_unit_test(a_worse_input_never_leads_higher),
            cmocka_unit_test(every_sequence),
            cmocka_unit_test(out_of_range_is_release),
            cmocka_unit_test(the_document_shows_the_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
