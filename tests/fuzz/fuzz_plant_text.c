/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Site text of the reference plant. Oracles: a refusal leaves the output alone and names text and line; an accepted
 * site is one plant_create would build. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/plant_text.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct plant_text t = {.curves_line = 77};
        char *text = malloc(size + 1), err[256] = "";
        int r;

        MUST(text != NULL);
        if (size > 0)
                memcpy(text, data, size);
        text[size] = '\0';
        r = plant_text_parse(text, "site.txt", &t, err);
        free(text);
        if (r < 0) {
                MUST(r == -EINVAL && t.curves_line == 77 && strnlen(err, sizeof err) < sizeof err &&
                     strncmp(err, "site.txt:", 9) == 0);
                return 0;
        }
        MUST(t.spec.nroom >= 1 && t.spec.nroom <= PLANT_ROOM_MAX && t.spec.ncrah >= t.spec.nroom &&
             t.spec.ncrah <= PLANT_CRAH_MAX && t.spec.nrack >= t.spec.nroom && t.spec.nrack <= PLANT_RACK_MAX);
        MUST(t.spec.nchiller >= 1 && t.spec.nchiller <= PLANT_CHILLER_MAX && t.spec.containment >= 0 &&
             t.spec.containment <= 1 && t.spec.rack_design_w > 0 && t.spec.loop_volume_m3 > 0 && t.spec.vms <= 100000);
        MUST(t.spec.name[0] != '\0' && t.spec.curves == NULL && (t.rows[0] == '\0' || t.curves[0] != '\0'));
        return 0;
}
