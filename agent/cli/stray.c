/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/cli/stray.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"

const char *stray_words(const struct store_stray *s, enum store_rows rows, char buf[STRAY_WORDS])
{
        char of[POINT_NAME_MAX + 48] = "", apart[48] = "more than a year", first[32], last[32];
        const int64_t days = s->apart_ms / 86400000;

        if (s->points > 0)
                (void)snprintf(of, sizeof of, " of %s", s->point);
        if (s->points > 1)
                (void)snprintf(of, sizeof of, " of %s and %" PRId64 " more point%s", s->point, s->points - 1,
                               PLURAL_S(s->points - 1));
        if (days > 0 && days < 366)
                (void)snprintf(apart, sizeof apart, "%" PRId64 " days", days);
        (void)snprintf(buf, STRAY_WORDS, "left out: %" PRId64 " %s%s%s, %s%s%s, %s from all others: a wrong clock?",
                       s->rows, rows == STORE_SAMPLES ? "sample" : "decision", PLURAL_S(s->rows), of,
                       clk_format(s->first_ms, first), s->rows > 1 ? " to " : "",
                       s->rows > 1 ? clk_format(s->last_ms, last) : "", apart);
        return buf;
}

void stray_tell(const char *verb, const char *db, const struct store_stray *s)
{
        char words[STRAY_WORDS];

        if (s->rows > 0)
                (void)fprintf(stderr, "coolplane %s: %s: %s\n", verb, db, stray_words(s, STORE_SAMPLES, words));
}

void stray_print_json(const struct store_stray s[STORE_ROWS])
{
        static const char *const name[STORE_ROWS] = {"samples", "decisions"};

        for (int k = 0; k < STORE_ROWS; k++) {
                char first[32], last[32];

                (void)printf("%s\"%s\":", k ? "," : "{", name[k]);
                if (s[k].rows == 0) {
                        (void)printf("null");
                        continue;
                }
                (void)printf("{\"rows\":%" PRId64 ",\"first\":\"%s\",\"last\":\"%s\"", s[k].rows,
                             clk_format(s[k].first_ms, first), clk_format(s[k].last_ms, last));
                if (k == STORE_SAMPLES) {
                        (void)printf(",\"points\":%" PRId64 ",\"point\":", s[k].points);
                        cli_json_string(stdout, s[k].point);
                }
                (void)printf("}");
        }
        (void)printf("}");
}
