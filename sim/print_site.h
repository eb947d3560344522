/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Writes the site file and point maps that coolplaned runs on, from the register tables the devices answer with. */
#ifndef COOLPLANE_SIM_PRINT_SITE_H
#define COOLPLANE_SIM_PRINT_SITE_H

#include <stdbool.h>

#include "sim/registers.h"

/* VM moves that the site file allows. */
enum { PRINT_SITE_MOVES_PER_HOUR = 20, PRINT_SITE_MOVES_AT_ONCE = 2 };

/* Whether all that print_site writes may be written (agent/base/outfile.h); else why not, naming the file. input:
 * [ninput] files read. */
bool print_site_may(const struct registers *r, const char *dir, const char *const *input, size_t ninput, char why[512]);
/* DIR/site.yaml, DIR/profiles/<model>.csv, DIR/points.csv; DIR is made if missing. 0 or -Exxx. */
int print_site(const struct registers *r, const char *dir, uint16_t base_port, const char *mqtt_host, int mqtt_port);

#endif
