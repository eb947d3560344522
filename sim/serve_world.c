/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/serve_world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/exitcode.h"

static int load_failed(const char *what, const char *path, int err, const char *why)
{
        fprintf(stderr, "coolplane-sim: %s %s: %s\n", what, path, err == -EINVAL ? why : strerror(-err));
        return err == -EINVAL ? EXIT_DATA : EXIT_IO;
}

int world_create(const struct world_args *a, int64_t start_ms, struct world *ret)
{
        struct world w = {0};
        char why[256] = "";
        int err, code = EXIT_GENERIC;

        if (a->spec) {
                w.spec = *a->spec;
        } else if (plant_spec_named(a->site, &w.spec) < 0) {
                fprintf(stderr, "coolplane-sim: no site \"%s\" (tiny, hall, campus)\n", a->site);
                return EXIT_USAGE_;
        }
        if (a->seed)
                w.spec.seed = a->seed;
        w.spec.economiser |= a->economiser;
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
        *w = (struct world){0};
}
