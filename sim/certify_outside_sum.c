/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <math.h>

#include "sim/certify_outside.h"

#define STEPS_A_DAY (24 * 3600 / CERTIFY_STEP_S)

static void add_run(struct outside_run *sum, const struct outside_run *r)
{
        sum->degmin27 += r->degmin27;
        sum->degmin32 += r->degmin32;
        sum->hottest_c = fmax(sum->hottest_c, r->hottest_c);
        sum->before_c += r->before_c;
        sum->cooling += r->cooling;
}

static bool in_time(uint32_t step)
{
        return step > 0 && step <= OUTSIDE_IN_TIME;
}

struct outside_sum outside_sum(const struct outside_result *r, size_t n, int kind)
{
        struct outside_sum s = {.kind = kind};

        for (size_t e = 0; e < n; e++) {
                if (kind >= 0 && (int)r[e].kind != kind)
                        continue;
                s.episodes++;
                s.in_time += in_time(r[e].detected);
                s.detected += r[e].detected > 0;
                s.at_step[r[e].detected]++;
                s.quiet_steps += r[e].quiet_steps;
                s.false_alarms += r[e].false_alarms;
                for (size_t q = 0; q < OUTSIDE_DETECTORS; q++) {
                        s.spoke_in_time[q] += in_time(r[e].first[q]);
                        s.spoke[q] += r[e].first[q] > 0;
                        s.onset[q] += r[e].onset[q];
                }
                for (size_t c = 0; c < OUTSIDE_CONTROLLERS; c++)
                        add_run(&s.run[c], &r[e].run[c]);
        }
        return s;
}

uint32_t outside_median_step(const struct outside_sum *s)
{
        uint64_t seen = 0;

        for (uint32_t step = 1; step <= OUTSIDE_AFTER; step++) {
                seen += s->at_step[step];
                if (2 * seen >= s->detected && seen > 0)
                        return step;
        }
        return 0;
}

double outside_per_day(const struct outside_sum *s, uint64_t onsets)
{
        return s->quiet_steps > 0 ? (double)onsets / (double)s->quiet_steps * STEPS_A_DAY : 0;
}

bool outside_failed(const struct outside_sum *s)
{
        const struct outside_run *alone = &s->run[OUTSIDE_PI], *filtered = &s->run[OUTSIDE_FILTERED],
                                 *sensible = &s->run[OUTSIDE_SENSIBLE];
        const double most27 = alone->degmin27 * (1 + OUTSIDE_SLACK) + OUTSIDE_SLACK_KMIN * (double)s->episodes,
                     most32 = alone->degmin32 * (s->kind == OUTSIDE_UNIT ? 1 + OUTSIDE_SLACK : 1);

        return !(filtered->degmin27 <= most27 && filtered->degmin32 <= most32 && sensible->degmin32 <= most32);
}
