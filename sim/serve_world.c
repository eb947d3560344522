/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/serve_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/exitcode.h"

/* The readers name the file, and the line where there is one. */
static int load_failed(const char *what, const char *path, int err, const char *why)
{
        if (why[0])
                fprintf(stderr, "coolplane-sim: %s: %s\n", what, why);
        else
                fprintf(stderr, "coolplane-sim: %s: %s: %s\n", what, path, strerror(-err));
        return err == -EINVAL ? EXIT_DATA : EXIT_IO;
}

int world_spec(const struct world_args *a, struct plant_spec *ret, struct chiller_curves **ret_curves)
{
        struct plant_spec spec;
        char why[256] = "";

        *ret_curves = NULL;
        if (a->spec) {
                spec = *a->spec;
        } else if (plant_spec_named(a->site, &spec) < 0) {
                int err = plant_spec_load(a->site, &spec, ret_curves, why);

                if (err == -ENOENT) {
                        fprintf(stderr, "coolplane-sim: no site \"%s\" (tiny, hall, campus or a site file)\n", a->site);
                        return EXIT_USAGE_;
                }
                if (err < 0)
                        return load_failed("site", a->site, err, why);
        }
        if (a->seed)
                spec.seed = a->seed;
        spec.economiser |= a->economiser;
        *ret = spec;
        return EXIT_OK;
}

int world_create(const struct world_args *a, int64_t start_ms, struct world *ret)
{
        struct world w = {0};
        char why[256] = "";
        int err, code;

        code = world_spec(a, &w.spec, &w.curves);
        if (code != EXIT_OK)
                return code;
        code = EXIT_GENERIC;
        err = a->weather ? weather_load(a->weather, &w.weather, why) : weather_synthetic(w.spec.seed, &w.weather);
        if (err < 0) {
                code = load_failed("weather", a->weather ? a->weather : "(synthetic)", err, why);
                goto fail;
        }
        err = a->workload ? workload_load(a->workload, &w.workload, why)
                          : workload_synthetic(w.spec.seed, w.spec.vms, &w.workload);
        if (err < 0) {
                code = load_failed("workload", a->workload ? a->workload : "(synthetic)", err, why);
                goto fail;
        }
        if (a->arrivals) {
                err = strcmp(a->arrivals, "synthetic") == 0 ? arrivals_synthetic(w.spec.seed, &w.arrivals)
                                                            : arrivals_load(a->arrivals, &w.arrivals, why);
                if (err < 0) {
                        code = load_failed("arrivals", a->arrivals, err, why);
                        goto fail;
                }
                w.spec.arrivals = w.arrivals;
        }
        err = plant_create(&w.spec, w.weather, w.workload, start_ms, &w.plant);
        if (err < 0) {
                fprintf(stderr, "coolplane-sim: cannot build site %s: %s\n", w.spec.name, strerror(-err));
                goto fail;
        }
        plant_set_local(w.plant, a->local);
        *ret = w;
        return EXIT_OK;
fail:
        world_free(&w);
        return code;
}

void world_free(struct world *w)
{
        plant_free(w->plant);
        workload_free(w->workload);
        weather_free(w->weather);
        arrivals_free(w->arrivals);
        free(w->curves);
        *w = (struct world){0};
}
