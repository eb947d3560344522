/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What a site is, as text: "key: value" lines (a subset of YAML), # comments. The named sites are written the same way.
 *
 *   like: tiny | hall | campus    first, if at all: what is not said is as there; without it every key must be given
 *   name: of the site, as in topics and devices: letters, digits, - and _
 *   rooms: crahs: racks: chillers: hosts_per_rack: vms: seed:                                    whole numbers
 *   rack_design_w: crah_airflow_m3s: crah_fan_w: crah_capacity_w: chiller_capacity_w: loop_volume_m3:
 *       loop_volume_m3: at least what plant_min_volume_m3 says
 *   containment_ratio: 0 (open) to 1     economiser: true | false
 *   chiller_curves: CSV as chiller_curves.h reads it, relative to the file      (optional; else the built-in sets)
 *       a machine whose name holds no "23XL" is taken for centrifugal: at high lift it cannot unload as far
 *   chiller_rows: names of its rows, commas between; chiller i is row i mod their number   (optional; else all rows)
 */
#ifndef COOLPLANE_SIM_PLANT_TEXT_H
#define COOLPLANE_SIM_PLANT_TEXT_H

#include "sim/plant.h"

struct plant_text {
        struct plant_spec spec;
        char curves[256], rows[1024]; /* "" = none */
        size_t curves_line, rows_line;
};

/* -EINVAL with "path:line: reason" in reterr (256 bytes). */
int plant_text_parse(const char *text, const char *path, struct plant_text *ret, char *reterr);

#endif
