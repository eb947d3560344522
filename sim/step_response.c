/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim step-response: the numbers by which a plant can be told from a toy, measured from outside. */
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "sim/serve.h"
#include "sim/serve_world.h"

#define BEAT_S 5.0
#define SETTLE_H 3.0
#define MEASURE_H 1.0
#define START "2026-07-15T09:00:00Z"

struct setpoints {
        double sat_c, fan_ratio, chwst_c, cwst_c;
};

struct numbers {
        double t63_s, chwst_pct_per_k, cwst_pct_per_k, overheat_s, rack_kw, residual_ratio;
        double best_sat_c, sweep_kwh[6];
        bool overheats;
};

static const double sweep_c[6] = {16, 18, 20, 22, 24, 26};
static const struct setpoints base = {20, 0.8, 10, 26};

/* Everything remote, one heartbeat a step: what a supervisor does. */
static void hold(struct plant *p, const struct setpoints *s, double seconds, uint16_t *beat)
{
        const struct plant_spec *spec = plant_spec(p);
        for (unsigned k = 0; k * BEAT_S < seconds; k++) {
                (*beat)++;
                for (size_t i = 0; i < spec->ncrah; i++) {
                        plant_remote_enable(p, PLANT_DEV_CRAH, i, true);
                        plant_heartbeat(p, PLANT_DEV_CRAH, i, *beat);
                        *plant_crah_cmd(p, i) = (struct plant_crah_cmd){s->sat_c, s->fan_ratio};
                }
                plant_remote_enable(p, PLANT_DEV_PLANT, 0, true);
                plant_heartbeat(p, PLANT_DEV_PLANT, 0, *beat);
                *plant_water_cmd(p) = (struct plant_water_cmd){s->chwst_c, s->cwst_c};
                plant_advance(p, BEAT_S);
        }
}

static double mean_inlet_c(const struct plant *p)
{
        size_t n = plant_spec(p)->nrack;
        double sum = 0;
        for (size_t i = 0; i < n; i++)
                sum += plant_true_inlet_c(p, i);
        return sum / (double)n;
}

static double max_inlet_c(const struct plant *p)
{
        double m = -(double)INFINITY;
        for (size_t i = 0; i < plant_spec(p)->nrack; i++)
                m = fmax(m, plant_true_inlet_c(p, i));
        return m;
}

static int settled(const struct world_args *a, const struct setpoints *s, struct world *w, uint16_t *beat)
{
        int64_t start;
        int code;
        (void)clk_parse_time(START, &start);
        code = world_create(a, start, w);
        if (code == EXIT_OK)
                hold(w->plant, s, SETTLE_H * 3600, beat);
        return code;
}

static int account_at(const struct world_args *a, const struct setpoints *s, struct plant_account *ret)
{
        uint16_t beat = 0;
        struct world w;
        int code = settled(a, s, &w, &beat);
        if (code != EXIT_OK)
                return code;
        plant_account_reset(w.plant);
        hold(w.plant, s, MEASURE_H * 3600, &beat);
        plant_account(w.plant, ret);
        world_free(&w);
        if (ret->energy_residual_ratio < PLANT_RESIDUAL_MAX)
                return EXIT_OK;
        fprintf(stderr, "coolplane-sim step-response: the plant lost %.2g of its heat: a defect\n",
                ret->energy_residual_ratio);
        return EXIT_GENERIC;
}

/* Chiller energy per heat removed, change in % per kelvin between two settings of one setpoint. */
static int slope(const struct world_args *a, struct setpoints lo, struct setpoints hi, double dk, double *ret)
{
        struct plant_account x, y;
        int code = account_at(a, &lo, &x);
        if (code == EXIT_OK)
                code = account_at(a, &hi, &y);
        if (code != EXIT_OK)
                return code;
        double ex = x.chiller_kwh / (x.it_kwh + x.it_fan_kwh + x.crah_fan_kwh);
        double ey = y.chiller_kwh / (y.it_kwh + y.it_fan_kwh + y.crah_fan_kwh);
        *ret = log(ey / ex) / dk * 100;
        return EXIT_OK;
}

static int air_step(const struct world_args *a, double *ret_t63_s)
{
        struct setpoints s = base;
        uint16_t beat = 0;
        struct world w;
        double inlet[720], t63 = (double)NAN;
        int code = settled(a, &s, &w, &beat);

        if (code != EXIT_OK)
                return code;
        double before = mean_inlet_c(w.plant);
        s.sat_c += 2;
        for (size_t k = 0; k < 720; k++) { /* an hour */
                hold(w.plant, &s, BEAT_S, &beat);
                inlet[k] = mean_inlet_c(w.plant);
        }
        for (size_t k = 0; k < 720 && isnan(t63); k++)
                if (inlet[k] - before >= 0.632 * (inlet[719] - before))
                        t63 = (double)(k + 1) * BEAT_S;
        world_free(&w);
        *ret_t63_s = t63;
        return EXIT_OK;
}

static int cooling_lost(const struct world_args *a, struct numbers *n)
{
        uint16_t beat = 0;
        struct world w;
        int code = settled(a, &base, &w, &beat);

        if (code != EXIT_OK)
                return code;
        double kw = 0;
        for (size_t i = 0; i < w.spec.nrack; i++) {
                struct plant_rack_meas m;
                plant_rack_meas(w.plant, i, &m);
                kw += m.power_w / 1000 / (double)w.spec.nrack;
        }
        n->rack_kw = kw;
        for (size_t i = 0; i < w.spec.ncrah; i++) {
                char fault[32];
                snprintf(fault, sizeof(fault), "crah-fail:%zu", i);
                (void)plant_fault(w.plant, fault);
        }
        n->overheats = false;
        n->overheat_s = 0;
        for (unsigned k = 0; k * BEAT_S < 1800 && !n->overheats; k++) {
                plant_advance(w.plant, BEAT_S);
                n->overheat_s += BEAT_S;
                n->overheats = max_inlet_c(w.plant) > 32;
        }
        world_free(&w);
        return EXIT_OK;
}

static int sweep(const struct world_args *a, struct numbers *n)
{
        struct plant_account acc;
        size_t best = 0;

        n->residual_ratio = 0;
        for (size_t k = 0; k < 6; k++) {
                struct setpoints s = {sweep_c[k], 0.8, fmax(7, sweep_c[k] - 9), base.cwst_c};
                int code = account_at(a, &s, &acc);
                if (code != EXIT_OK)
                        return code;
                n->sweep_kwh[k] = acc.total_kwh;
                n->residual_ratio = fmax(n->residual_ratio, acc.energy_residual_ratio);
                if (n->sweep_kwh[k] < n->sweep_kwh[best])
                        best = k;
        }
        n->best_sat_c = sweep_c[best];
        return EXIT_OK;
}

static void print(const struct numbers *n, bool json)
{
        if (json) {
                printf("{\"supply_air_t63_s\":%.0f,\"chiller_pct_per_k_chwst\":%.3f,\"chiller_pct_per_k_cwst\":%.3f,"
                       "\"rack_kw\":%.2f,\"overheat_s\":",
                       n->t63_s, n->chwst_pct_per_k, n->cwst_pct_per_k, n->rack_kw);
                if (n->overheats)
                        printf("%.0f", n->overheat_s);
                else
                        printf("null");
                printf(",\"energy_residual_ratio\":%.3e,\"best_supply_air_c\":%.0f,\"sweep\":[", n->residual_ratio,
                       n->best_sat_c);
                for (size_t k = 0; k < 6; k++)
                        printf("%s{\"supply_air_c\":%.0f,\"total_kwh\":%.3f}", k ? "," : "", sweep_c[k],
                               n->sweep_kwh[k]);
                printf("]}\n");
                return;
        }
        printf("63 %% of a supply air step at the racks after   %.0f s\n"
               "chiller energy per K of warmer chilled water     %+.2f %%\n"
               "chiller energy per K of warmer condenser water   %+.2f %%\n"
               "energy residual, worst                           %.2e\n",
               n->t63_s, n->chwst_pct_per_k, n->cwst_pct_per_k, n->residual_ratio);
        if (n->overheats)
                printf("all air handlers lost at %.1f kW a rack: 32 °C after %.0f s\n", n->rack_kw, n->overheat_s);
        else
                printf("all air handlers lost at %.1f kW a rack: below 32 °C for 30 min\n", n->rack_kw);
        for (size_t k = 0; k < 6; k++)
                printf(
                    "supply air %2.0f °C (fans 80 %%, chilled water 9 K below, ≥ 7 °C): total %.1f kWh in an hour%s\n",
                    sweep_c[k], n->sweep_kwh[k], sweep_c[k] == n->best_sat_c ? "  least" : "");
}

static const char help_text[] =
    "Example: coolplane-sim step-response --site hall --json\n\n"
    "Measures the plant from outside: how fast a supply air step reaches the racks, what a kelvin of chilled and of\n"
    "condenser water is worth, how soon inlets overheat without cooling, where total power is least.\n\n"
    "  --site NAME    tiny, hall (default), campus, or a site file\n"
    "  --seed S\n"
    "  --json         one JSON document\n";

int verb_step_response(int argc, char **argv)
{
        static const struct option longopts[] = {{"site", required_argument, NULL, 's'},
                                                 {"seed", required_argument, NULL, 'd'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
        struct world_args a = {.site = "hall"};
        struct setpoints warm = base, warm_cw = base;
        struct numbers n;
        bool json = false;
        int64_t seed;
        int c, code;

        while ((c = getopt_long(argc, argv, "", longopts, NULL)) != -1) {
                switch (c) {
                case 's':
                        a.site = optarg;
                        break;
                case 'd':
                        if (parse_int64(optarg, 1, INT64_MAX, &seed) < 0) {
                                fprintf(stderr, "coolplane-sim step-response: --seed: cannot use \"%s\"\n", optarg);
                                return EXIT_USAGE_;
                        }
                        a.seed = (uint64_t)seed;
                        break;
                case 'j':
                        json = true;
                        break;
                case 'h':
                        fputs(help_text, stdout);
                        return EXIT_OK;
                default:
                        return EXIT_USAGE_;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "coolplane-sim step-response: unexpected argument \"%s\"\n", argv[optind]);
                return EXIT_USAGE_;
        }
        warm.chwst_c += 3;
        warm_cw.cwst_c += 3;
        code = air_step(&a, &n.t63_s);
        if (code == EXIT_OK)
                code = slope(&a, base, warm, 3, &n.chwst_pct_per_k);
        if (code == EXIT_OK)
                code = slope(&a, base, warm_cw, 3, &n.cwst_pct_per_k);
        if (code == EXIT_OK)
                code = cooling_lost(&a, &n);
        if (code == EXIT_OK)
                code = sweep(&a, &n);
        if (code != EXIT_OK)
                return code;
        print(&n, json);
        return fflush(stdout) == 0 ? EXIT_OK : EXIT_IO;
}
