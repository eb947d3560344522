/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * b0h: b0's setpoints, stepped by hand. Every hour the next of five settings gets another level: supply air, fans,
 * chilled water, condenser water, machines. A setting has five levels between its ends, which come in another order
 * each time, so that all of them are tried in about a day and owe nothing to the weather, the load or the other
 * settings. Where an inlet gets warm the air gets colder, a kelvin every five minutes, then more, a twentieth of the
 * fans' speed, and where one gets hot everything goes back to b0's. What a log of it says of a setting is the setting's
 * own doing.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "models/num/rng.h"
#include "sim/yardstick.h"

#define LEVELS 5
#define TURN_MS 3600000
#define WARM_C 26.5
#define HOT_C 27.5
#define COOL_SAT_K 1.0
#define COOL_FAN 0.05
#define COOL_MS 300000
#define COIL_K 4.0 /* nobody asks a coil for air nearer to its water */

enum setting { SAT, FAN, CHWST, CWST, MACHINES, SETTINGS };

/* b0's own, and the ends of what is tried. */
static const struct {
        double b0, lo, hi;
} levels[MACHINES] = {
    [SAT] = {18.0, 14.0, 22.0},
    [FAN] = {0.9, 0.3, 0.9},
    [CHWST] = {7.0, 5.0, 12.0},
    [CWST] = {24.0, 14.0, 28.0},
};

struct yard_hand {
        struct rng rng;
        double level[MACHINES];
        uint32_t chillers;
        unsigned order[MACHINES][LEVELS], tried[MACHINES];
        size_t turn;
        int64_t due_ms, cool_due_ms;
};

static uint32_t all_machines(const struct plant *p)
{
        return (uint32_t)((UINT64_C(1) << plant_spec(p)->nchiller) - 1);
}

static void back_to_b0(struct yard_hand *h, const struct plant *p)
{
        for (size_t k = 0; k < MACHINES; k++)
                h->level[k] = levels[k].b0;
        h->chillers = all_machines(p);
}

int yard_hand_create(const struct plant *p, uint64_t seed, struct yard_hand **ret)
{
        struct yard_hand *h = calloc(1, sizeof(*h));

        if (h == NULL)
                return -ENOMEM;
        rng_seed(&h->rng, seed, 17);
        back_to_b0(h, p);
        h->due_ms = h->cool_due_ms = plant_t_ms(p);
        *ret = h;
        return 0;
}

struct yard_hand *yard_hand_free(struct yard_hand *h)
{
        free(h);
        return NULL;
}

static void shuffle(struct rng *rng, unsigned order[LEVELS])
{
        for (unsigned i = 0; i < LEVELS; i++) {
                const unsigned j = rng_below(rng, i + 1);

                order[i] = order[j];
                order[j] = i;
        }
}

static void step_next(struct yard_hand *h, const struct plant *p)
{
        const uint32_t n = (uint32_t)plant_spec(p)->nchiller;
        const size_t k = h->turn++ % SETTINGS;

        if (k < MACHINES) {
                const double between = (levels[k].hi - levels[k].lo) / (LEVELS - 1);

                if (h->tried[k] == 0)
                        shuffle(&h->rng, h->order[k]);
                h->level[k] = levels[k].lo + between * h->order[k][h->tried[k]];
                h->tried[k] = (h->tried[k] + 1) % LEVELS;
        } else if (n > 1) { /* all of them, or one less */
                const uint32_t off = rng_below(&h->rng, 2 * n);

                h->chillers = all_machines(p) & ~(off < n ? 1u << off : 0u);
        }
}

/* Colder air first, then more of it. */
static void cool(struct yard_hand *h, const struct plant *p)
{
        if (h->level[SAT] - COOL_SAT_K >= fmax(levels[SAT].lo, h->level[CHWST] + COIL_K))
                h->level[SAT] -= COOL_SAT_K;
        else if (h->level[FAN] < levels[FAN].b0 - COOL_FAN / 2)
                h->level[FAN] += COOL_FAN;
        h->cool_due_ms = plant_t_ms(p) + COOL_MS;
}

void yard_hand_advance(struct yard_hand *h, struct plant *p, double hours)
{
        const int64_t end_ms = plant_t_ms(p) + llround(hours * 3600e3);
        struct yard_command cmd;

        while (plant_t_ms(p) < end_ms) {
                double inlet_c = -(double)INFINITY;

                if (plant_t_ms(p) >= h->due_ms) {
                        step_next(h, p);
                        h->due_ms += TURN_MS;
                }
                for (size_t i = 0; i < plant_spec(p)->nrack; i++)
                        inlet_c = fmax(inlet_c, plant_true_inlet_c(p, i));
                if (!(inlet_c <= HOT_C))
                        back_to_b0(h, p);
                else if (!(inlet_c <= WARM_C) && plant_t_ms(p) >= h->cool_due_ms)
                        cool(h, p);
                yard_command_uniform(plant_spec(p), fmax(h->level[SAT], h->level[CHWST] + COIL_K), h->level[FAN],
                                     h->level[CHWST], h->level[CWST], h->chillers, &cmd);
                yard_hold(p, &cmd, fmin(YARD_STEP_S / 3600.0, (double)(end_ms - plant_t_ms(p)) / 3600e3));
        }
}
