/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Workload CSV. Oracles: a refusal leaves the output alone and names the file; an accepted workload has VMs, and every
 * VM uses 0 to 1 of its cores at any time. */
#include <errno.h>
#include <string.h>

#include "sim/workload.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const int64_t times[] = {0, 1, 299999, 300000, -1, 1752537600123, -62135596800000, 253402300799999};
        char err[256] = "";
        struct workload *w = NULL;
        int r = workload_load(fuzz_file("workload.csv", data, size), &w, err);
        if (r < 0) {
                MUST(w == NULL && r == -EINVAL && strnlen(err, sizeof err) < sizeof err && strstr(err, "workload."));
                return 0;
        }
        size_t n = workload_nvm(w);
        MUST(n >= 1);
        const size_t vm[] = {0, n - 1, n, 3 * n + 1, 100000};
        for (size_t k = 0; k < sizeof vm / sizeof vm[0]; k++)
                for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
                        double x = workload_cpu_ratio(w, vm[k], times[i]);
                        MUST(x >= 0 && x <= 1);
                }
        workload_free(w);
        return 0;
}
