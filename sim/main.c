/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane-sim: the test plant. Never installed with the service. */
#include <stdio.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "sim/serve.h"

static const struct {
        const char *name, *what;
        int (*run)(int argc, char **argv);
} verbs[] = {
    {"serve", "Modbus TCP devices and MQTT publishers of a simulated site, on loopback", verb_serve},
    {"compare", "one row of energy and exposure for each controller, in virtual time", verb_compare},
    {"tune", "the grid search behind the yardstick's baselines b1 and b2", verb_tune},
    {"scenario", "what must hold when things happen: numbered files with numeric limits, several seeds", verb_scenario},
    {"certify", "the safety claim on plants drawn from its model set, vertex models and hostile proposers",
     verb_certify},
    {"step-response", "how the plant answers steps, measured from outside", verb_step_response},
    {"explore", "steps to learn a stylised row of air handlers: five explorers, certified or not", verb_explore},
};
#define NVERB (sizeof(verbs) / sizeof(verbs[0]))

static void help(FILE *f)
{
        fprintf(f, "Example: coolplane-sim serve --site hall --time-scale 60 --mqtt 127.0.0.1:1883\n\n"
                   "Usage: coolplane-sim VERB [OPTION]...\n\n");
        for (size_t i = 0; i < NVERB; i++)
                fprintf(f, "  %-14s %s\n", verbs[i].name, verbs[i].what);
        fprintf(f, "\ncoolplane-sim VERB --help explains a verb.\n");
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                help(stderr);
                return EXIT_USAGE_;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
                help(stdout);
                return EXIT_OK;
        }
        if (strcmp(argv[1], "--version") == 0) {
                printf("coolplane-sim " COOLPLANE_VERSION "\n");
                return EXIT_OK;
        }
        for (size_t i = 0; i < NVERB; i++)
                if (strcmp(argv[1], verbs[i].name) == 0)
                        return verbs[i].run(argc - 1, argv + 1);
        fprintf(stderr, "coolplane-sim: no verb \"%s\" (coolplane-sim --help)\n", argv[1]);
        return EXIT_USAGE_;
}
