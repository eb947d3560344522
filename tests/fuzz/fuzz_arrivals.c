/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A folder of arrivals: the input is its four files, a line "=" between them. Oracles: a refusal leaves the output
 * alone and names a file and line; what is accepted arrives in some bin, with a size and a life that ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/arrivals.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct arrivals *a)
{
        double vms, cores, mem_gib;
        struct rng rng;
        size_t first;

        rng_seed(&rng, 1, 1);
        MUST(arrivals_nbin(a) >= 1);
        arrivals_running(a, &vms, &cores);
        MUST(vms > 0 && cores > 0);
        for (size_t k = 0, n = 0; k < arrivals_nbin(a); k++) {
                const size_t here = arrivals_in_bin(a, k, &first);

                MUST(first == n);
                for (n += here; first < n; first++) {
                        const double life_s = arrivals_life_s(a, first, &rng);

                        MUST(life_s > 0 && life_s <= arrivals_life_max_s(a));
                        arrivals_size(a, first, &cores, &mem_gib);
                        MUST(cores > 0 && mem_gib >= 0);
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const name[] = {"flav_map.txt", "v1.interval_map.txt", "v1.dev.txt", "v1.dev.c2100000.txt"};
        char dir[64] = "/tmp/coolplane-fuzz.XXXXXX";
        struct arrivals *a = NULL;
        char path[128], err[256] = "";
        int r;

        MUST(mkdtemp(dir));
        for (size_t k = 0; k < 4; k++) {
                size_t n = 0;

                while (n < size && !(data[n] == '=' && (n == 0 || data[n - 1] == '\n')))
                        n++;
                (void)snprintf(path, sizeof path, "%s/%s", dir, name[k]);
                FILE *f = fopen(path, "w");
                MUST(f && fwrite(data, 1, n, f) == n && fclose(f) == 0);
                n += n < size;
                n += n < size && data[n] == '\n';
                data += n;
                size -= n;
        }
        r = arrivals_load(dir, &a, err);
        for (size_t k = 0; k < 4; k++) {
                (void)snprintf(path, sizeof path, "%s/%s", dir, name[k]);
                (void)unlink(path);
        }
        (void)rmdir(dir);
        if (r < 0) {
                MUST(r == -EINVAL && !a && strnlen(err, sizeof err) < sizeof err && strstr(err, ".txt:"));
                return 0;
        }
        check(a);
        arrivals_free(a);
        return 0;
}
