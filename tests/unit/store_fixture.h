/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* A folder that goes away again, and a small site made by hand. */
#ifndef COOLPLANE_TESTS_UNIT_STORE_FIXTURE_H
#define COOLPLANE_TESTS_UNIT_STORE_FIXTURE_H

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/points/units.h"
#include "agent/store/store.h"

#define FIXTURE_POINTS 8

struct fixture {
        char dir[64], db[96], err[256];
        struct point point[FIXTURE_POINTS];
        struct equipment equipment[2];
        struct zone zone[1];
        struct device device[1];
        struct site site;
};

static inline void fixture_point(struct fixture *f, size_t i, const char *name, enum role role, int unit)
{
        struct point *p = &f->point[i];
        snprintf(p->name, sizeof p->name, "%s", name);
        p->role = role;
        p->unit = unit;
        p->device = 0;
        p->equipment = i < 2 ? 0 : 1;
        p->zone = 0;
        p->valid_min = p->valid_max = p->min = p->max = (double)NAN;
        p->scale = 1;
}

static inline struct fixture *fixture_create(void)
{
        struct fixture *f = calloc(1, sizeof *f);
        if (!f)
                abort();
        snprintf(f->dir, sizeof f->dir, "/tmp/coolplane-test-XXXXXX");
        if (!mkdtemp(f->dir))
                abort();
        snprintf(f->db, sizeof f->db, "%s/t.db", f->dir);
        snprintf(f->zone[0].name, sizeof f->zone[0].name, "room");
        snprintf(f->device[0].name, sizeof f->device[0].name, "plc");
        snprintf(f->equipment[0].name, sizeof f->equipment[0].name, "rack-1");
        snprintf(f->equipment[1].name, sizeof f->equipment[1].name, "crah-1");
        f->equipment[0].cls = EQ_RACK;
        f->equipment[1].cls = EQ_CRAH;
        fixture_point(f, 0, "t/room/rack-1/inlet", ROLE_INLET_TEMP, UNIT_DEGC);
        fixture_point(f, 1, "t/room/rack-1/power", ROLE_RACK_POWER, UNIT_KW);
        fixture_point(f, 2, "t/room/crah-1/supply", ROLE_SAT, UNIT_DEGF);
        fixture_point(f, 3, "t/room/crah-1/supply-sp", ROLE_SAT_SP, UNIT_DEGC);
        fixture_point(f, 4, "t/room/crah-1/fan", ROLE_FAN_CMD, UNIT_PERCENT);
        fixture_point(f, 5, "t/room/crah-1/valve", ROLE_VALVE, UNIT_PERCENT);
        fixture_point(f, 6, "t/room/rack-2/power", ROLE_RACK_POWER, UNIT_KW);
        fixture_point(f, 7, "t/room/crah-1/return", ROLE_RAT, UNIT_DEGC);
        f->point[3].writable = f->point[4].writable = true;
        snprintf(f->site.name, sizeof f->site.name, "t");
        f->site.fast_step_ms = 30000;
        f->site.point = f->point;
        f->site.npoint = FIXTURE_POINTS;
        f->site.equipment = f->equipment;
        f->site.nequipment = 2;
        f->site.zone = f->zone;
        f->site.nzone = 1;
        f->site.device = f->device;
        f->site.ndevice = 1;
        memset(f->site.hash, 0xab, sizeof f->site.hash);
        return f;
}

static inline struct fixture *fixture_free(struct fixture *f)
{
        DIR *d = opendir(f->dir);
        for (struct dirent *e; d && (e = readdir(d));) {
                char path[512];
                snprintf(path, sizeof path, "%s/%s", f->dir, e->d_name);
                if (e->d_name[0] != '.')
                        (void)unlink(path);
        }
        if (d)
                closedir(d);
        (void)rmdir(f->dir);
        free(f);
        return NULL;
}

static inline struct sample fixture_sample(uint32_t point, int64_t t_ms, double value)
{
        return (struct sample){.point = point,
                               .t_ms = t_ms,
                               .value = value,
                               .raw = value,
                               .quality = isnan(value) ? QUALITY_BAD : QUALITY_GOOD,
                               .reason = isnan(value) ? QR_COMM_FAIL : QR_NONE};
}

#endif
