/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/chiller_curves.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"

#define ERR_SIZE 256
#define LINE_BYTES 4096
/*
 * Surge: the least load of a centrifugal machine rises in proportion to lift above the one it may unload fully at.
 * Makers' maps are not public; the two points are typical of textbook maps: ASHRAE Handbook, HVAC Systems and
 * Equipment, "Liquid-Chilling Systems".
 */
#define SURGE_FREE_K 12.0 /* condenser entering minus chilled leaving */
#define SURGE_K 25.0
#define SURGE_PLR 0.45

static const struct chiller_curves builtin[] = {
    {.name = "Carrier 19XR 1403kW/7.09COP/VSD",
     .capacity_w = 1403100.0,
     .cop = 7.09,
     .plr_min = 0.17,
     .plr_unloading = 0.17,
     .plr_max = 1.03,
     .te_rating_c = 6.67,
     .tc_rating_c = 12.78,
     .te_min_c = 4.0,
     .te_max_c = 20.0,
     .tc_min_c = 12.78,
     .tc_max_c = 32.0,
     .cap = {0.9601814, -0.003596494, -0.001706786, 0.006272429, -0.0009858212, 0.002611673},
     .eir = {1.098641, -0.0248588, -6.240421e-05, -0.001719488, 0.0004887321, 9.618075e-05},
     .plr = {0.08788698, 0.2678891, 0.644518},
     .surges = true},
    {.name = "Carrier 19XR 1586kW/5.53COP/VSD",
     .capacity_w = 1586000.0,
     .cop = 5.53,
     .plr_min = 0.19,
     .plr_unloading = 0.19,
     .plr_max = 1.01,
     .te_rating_c = 8.89,
     .tc_rating_c = 26.67,
     .te_min_c = 4.0,
     .te_max_c = 20.0,
     .tc_min_c = 12.78,
     .tc_max_c = 32.0,
     .cap = {1.119233, 0.01130501, -0.0006423802, -0.005144512, -0.0003085995, 0.0007813582},
     .eir = {1.110611, -0.03795765, 0.0002851444, -0.004560404, 0.0004044229, 0.0001407332},
     .plr = {0.1996379, -0.1612021, 0.9608483},
     .surges = true},
    {.name = "Carrier 19XR 1213kW/7.78COP/Vanes",
     .capacity_w = 1213200.0,
     .cop = 7.78,
     .plr_min = 0.17,
     .plr_unloading = 0.17,
     .plr_max = 1.02,
     .te_rating_c = 6.11,
     .tc_rating_c = 12.78,
     .te_min_c = 4.0,
     .te_max_c = 20.0,
     .tc_min_c = 12.78,
     .tc_max_c = 32.0,
     .cap = {0.9070437, -0.007437456, -0.0009695325, 0.01529092, -0.001069664, 0.001994583},
     .eir = {1.002142, -0.02505239, 0.0005169707, 0.006321862, 0.0005116807, -0.0004794244},
     .plr = {0.2847744, 0.4027863, 0.3114896},
     .surges = true},
    {.name = "Carrier 23XL 1108kW/6.92COP/Valve",
     .capacity_w = 1107700.0,
     .cop = 6.92,
     .plr_min = 0.2,
     .plr_unloading = 0.2,
     .plr_max = 1.02,
     .te_rating_c = 8.97,
     .tc_rating_c = 23.74,
     .te_min_c = 4.0,
     .te_max_c = 20.0,
     .tc_min_c = 12.78,
     .tc_max_c = 32.0,
     .cap = {0.6631328, -0.01027433, -0.000538804, 0.03320295, -0.001304714, 0.002169498},
     .eir = {0.5668296, -0.02800906, 0.0009362408, 0.02210818, 0.0004660373, -0.0007989601},
     .plr = {0.1370745, 0.8374817, 0.0253428},
     .surges = false},
};

size_t chiller_curves_builtin(const struct chiller_curves **ret)
{
        *ret = builtin;
        return sizeof(builtin) / sizeof(builtin[0]);
}

/* ---- evaluation ---- */

static double clamp(double v, double lo, double hi)
{
        return v < lo ? lo : v > hi ? hi : v;
}

static double biquadratic(const double *c, double te, double tc)
{
        return c[0] + te * (c[1] + c[2] * te) + tc * (c[3] + c[4] * tc) + c[5] * te * tc;
}

double chiller_capacity_w(const struct chiller_curves *c, double nominal_w, double leaving_c, double entering_cw_c)
{
        const double te = clamp(leaving_c, c->te_min_c, c->te_max_c),
                     tc = clamp(entering_cw_c, c->tc_min_c, c->tc_max_c);

        return nominal_w * biquadratic(c->cap, te, tc);
}

double chiller_least_plr(const struct chiller_curves *c, double leaving_c, double entering_cw_c)
{
        const double rise = (entering_cw_c - leaving_c - SURGE_FREE_K) / (SURGE_K - SURGE_FREE_K);

        if (!c->surges)
                return c->plr_unloading;
        return c->plr_unloading + clamp(rise, 0.0, 1.0) * fmax(SURGE_PLR - c->plr_unloading, 0.0);
}

double chiller_power_w(const struct chiller_curves *c, double nominal_w, double load_w, double leaving_c,
                       double entering_cw_c)
{
        const double te = clamp(leaving_c, c->te_min_c, c->te_max_c),
                     tc = clamp(entering_cw_c, c->tc_min_c, c->tc_max_c);
        const double available = chiller_capacity_w(c, nominal_w, te, tc);
        const double plr = load_w / available, x = clamp(plr, chiller_least_plr(c, te, tc), c->plr_max);
        const double runs = plr < c->plr_min ? fmax(plr, 0.0) / c->plr_min : 1.0;

        return runs * available / c->cop * biquadratic(c->eir, te, tc) * (c->plr[0] + x * (c->plr[1] + x * c->plr[2]));
}

/* ---- reader ---- */

/* Columns of the published table, in any order; those not named here are ignored (its mass flows are known to be
 * wrong). */
static const char *const column[] = {"QEva_flow_nominal_W",
                                     "COP_nominal",
                                     "PLRMin",
                                     "PLRMinUnl",
                                     "PLRMax",
                                     "TEvaLvg_nominal_C",
                                     "TConEnt_nominal_C",
                                     "TEvaLvgMin_C",
                                     "TEvaLvgMax_C",
                                     "TConEntMin_C",
                                     "TConEntMax_C",
                                     "cap0",
                                     "cap1",
                                     "cap2",
                                     "cap3",
                                     "cap4",
                                     "cap5",
                                     "eirT0",
                                     "eirT1",
                                     "eirT2",
                                     "eirT3",
                                     "eirT4",
                                     "eirT5",
                                     "plr0",
                                     "plr1",
                                     "plr2"};
enum { NCOLUMN = sizeof(column) / sizeof(column[0]), FIELDS_MAX = 64 };

static int fail(char *reterr, const char *path, size_t line, const char *what, const char *detail)
{
        (void)snprintf(reterr, ERR_SIZE, "%.120s:%zu: %.60s %.60s", path, line, what, detail);
        return -EINVAL;
}

static size_t split(char *line, char **field)
{
        size_t n = 0;

        line[strcspn(line, "\r\n")] = '\0';
        for (char *p = line; p != NULL && n < FIELDS_MAX; n++) {
                field[n] = p;
                p = strchr(p, ',');
                if (p != NULL)
                        *p++ = '\0';
        }
        return n;
}

/* at[k]: place of column[k], the last entry that of `name`. */
static int read_header(char *line, const char *path, size_t *at, size_t *ret_nfield, char *reterr)
{
        char *field[FIELDS_MAX];
        const size_t n = split(line, field);

        for (size_t k = 0; k <= NCOLUMN; k++) {
                const char *want = k < NCOLUMN ? column[k] : "name";

                for (at[k] = 0; at[k] < n && strcmp(field[at[k]], want) != 0; at[k]++)
                        ;
                if (at[k] == n)
                        return fail(reterr, path, 1, "no column", want);
        }
        *ret_nfield = n;
        return 0;
}

static const char *implausible(const struct chiller_curves *c)
{
        if (!(c->capacity_w > 0.0 && c->capacity_w < 1e9))
                return "QEva_flow_nominal_W (negative is cooling)";
        if (!(c->cop > 0.0 && c->cop < 50.0))
                return "COP_nominal";
        if (!(c->plr_min >= 0.0 && c->plr_min <= c->plr_unloading && c->plr_unloading < 1.0 && c->plr_max >= 1.0 &&
              c->plr_max < 2.0))
                return "PLRMin, PLRMinUnl, PLRMax";
        if (!(c->te_min_c <= c->te_rating_c && c->te_rating_c <= c->te_max_c && c->te_min_c > -50.0 &&
              c->te_max_c < 60.0))
                return "TEvaLvg";
        if (!(c->tc_min_c <= c->tc_rating_c && c->tc_rating_c <= c->tc_max_c && c->tc_min_c > -50.0 &&
              c->tc_max_c < 80.0))
                return "TConEnt";
        /* capacity and power are positive wherever the set may be asked */
        for (unsigned i = 0; i <= 8; i++)
                for (unsigned k = 0; k <= 8; k++) {
                        const double te = c->te_min_c + (c->te_max_c - c->te_min_c) * i / 8.0;
                        const double tc = c->tc_min_c + (c->tc_max_c - c->tc_min_c) * k / 8.0;

                        if (!(biquadratic(c->cap, te, tc) > 0.05 && biquadratic(c->eir, te, tc) > 0.05))
                                return "cap, eirT: not positive within the limits";
                }
        if (!(c->plr[0] + c->plr_unloading * (c->plr[1] + c->plr_unloading * c->plr[2]) > 0.0))
                return "plr: not positive";
        return NULL;
}

static int read_row(char *line, const char *path, size_t lineno, const size_t *at, size_t nfield,
                    struct chiller_curves *ret, char *reterr)
{
        char *field[FIELDS_MAX];
        double v[NCOLUMN];
        const char *bad;

        if (split(line, field) != nfield)
                return fail(reterr, path, lineno, "number of fields differs from the header", "");
        for (size_t k = 0; k < NCOLUMN; k++)
                if (parse_double(field[at[k]], &v[k]) < 0)
                        return fail(reterr, path, lineno, "not a number:", column[k]);
        *ret = (struct chiller_curves){.capacity_w = -v[0],
                                       .cop = v[1],
                                       .plr_min = v[2],
                                       .plr_unloading = v[3],
                                       .plr_max = v[4],
                                       .te_rating_c = v[5],
                                       .tc_rating_c = v[6],
                                       .te_min_c = v[7],
                                       .te_max_c = v[8],
                                       .tc_min_c = v[9],
                                       .tc_max_c = v[10]};
        memcpy(ret->cap, v + 11, sizeof(ret->cap));
        memcpy(ret->eir, v + 17, sizeof(ret->eir));
        memcpy(ret->plr, v + 23, sizeof(ret->plr));
        (void)snprintf(ret->name, sizeof(ret->name), "%s", field[at[NCOLUMN]]);
        ret->surges = strstr(ret->name, "23XL") == NULL; /* the only screw machines of the collection */
        bad = implausible(ret);
        return bad != NULL ? fail(reterr, path, lineno, "cannot be a chiller:", bad) : 0;
}

int chiller_curves_load(const char *path, struct chiller_curves **ret, size_t *ret_n, char *reterr)
{
        struct chiller_curves *list = NULL;
        size_t at[NCOLUMN + 1], nfield = 0, n = 0, lineno = 1;
        char line[LINE_BYTES];
        FILE *f = fopen(path, "re");
        int r;

        if (f == NULL) {
                (void)snprintf(reterr, ERR_SIZE, "%.180s: %s", path, strerror(errno));
                return -errno;
        }
        r = fgets(line, sizeof(line), f) == NULL ? fail(reterr, path, 1, "empty file", "")
                                                 : read_header(line, path, at, &nfield, reterr);
        while (r == 0 && fgets(line, sizeof(line), f) != NULL) {
                struct chiller_curves *grown;

                lineno++;
                if (strchr(line, '\n') == NULL && !feof(f)) {
                        r = fail(reterr, path, lineno, "line too long", "");
                        break;
                }
                if (line[strspn(line, " \t\r\n")] == '\0')
                        continue;
                grown = realloc(list, (n + 1) * sizeof(*list));
                if (grown == NULL) {
                        r = -ENOMEM;
                        break;
                }
                list = grown;
                r = read_row(line, path, lineno, at, nfield, &list[n], reterr);
                n += r == 0;
        }
        if (r == 0 && n == 0)
                r = fail(reterr, path, lineno, "no machine", "");
        (void)fclose(f);
        if (r < 0) {
                free(list);
                return r;
        }
        *ret = list;
        *ret_n = n;
        return 0;
}
