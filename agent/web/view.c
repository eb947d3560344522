/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/view.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/log.h"
#include "agent/base/parse.h"

enum { REFRESH_MS = 1000, GATE_TIMEOUT_MS = 300, GATE_GRACE_MS = 5000 };

int view_create(const struct site *site, struct clk *clk, struct view **ret)
{
        struct view *v = calloc(1, sizeof *v);

        if (!v)
                return -ENOMEM;
        v->latest = calloc(site->npoint + 1, sizeof *v->latest);
        if (!v->latest) {
                free(v);
                return -ENOMEM;
        }
        v->site = site;
        v->clk = clk;
        v->read_mono_ms = v->gate_mono_ms = v->cycle_mono_ms = v->cycle_seen = -1;
        for (size_t i = 0; i < site->npoint; i++)
                v->latest[i].good_t_ms = -1;
        gatedoc_clear(&v->gate);
        *ret = v;
        return 0;
}

struct view *view_free(struct view *v)
{
        if (!v)
                return NULL;
        store_close(v->store);
        gatedoc_clear(&v->gate);
        free(v->latest);
        free(v);
        return NULL;
}

/* --- the gate ---------------------------------------------------------------------------------------------------- */

static void read_gate(struct view *v, int64_t mono_ms)
{
        char path[SITE_PATH_MAX + 16];
        struct gatedoc d = {0};

        (void)snprintf(path, sizeof path, "%s/status.sock", v->site->run_dir);
        if (gatedoc_read(path, GATE_TIMEOUT_MS, &d) < 0)
                return;
        /* a gate that computes for a moment is not a dead one */
        if (d.link == GATE_SILENT && v->gate.link == GATE_RUNNING && mono_ms - v->gate_mono_ms < GATE_GRACE_MS) {
                gatedoc_clear(&d);
                return;
        }
        if (d.link == GATE_RUNNING) {
                v->gate_mono_ms = mono_ms;
                if (d.last_cycle_t_ms != v->cycle_seen && d.step > 0) {
                        v->cycle_seen = d.last_cycle_t_ms;
                        v->cycle_mono_ms = mono_ms;
                }
        }
        gatedoc_clear(&v->gate);
        v->gate = d;
}

/* --- the database ------------------------------------------------------------------------------------------------ */

static void close_store(struct view *v, const char *why)
{
        if (v->store)
                log_warning("web", "database closed: %s", why);
        (void)snprintf(v->store_error, sizeof v->store_error, "%s", why);
        v->store = store_close(v->store);
        memset(&v->counts, 0, sizeof v->counts);
        memset(&v->run, 0, sizeof v->run);
        for (size_t i = 0; i < v->site->npoint; i++)
                v->latest[i].present = false;
}

static void open_store(struct view *v)
{
        struct stat sb;
        char why[256] = "";
        int r;

        if (v->store && (stat(v->site->database, &sb) < 0 || sb.st_ino != v->store_ino || sb.st_dev != v->store_dev))
                close_store(v, "the file was replaced");
        if (v->store)
                return;
        if (stat(v->site->database, &sb) < 0) {
                (void)snprintf(v->store_error, sizeof v->store_error, "%s: %s", v->site->database, strerror(errno));
                return;
        }
        r = store_open(v->site->database, STORE_READ, &v->store, why);
        if (r == 0)
                r = store_bind_site(v->store, v->site);
        if (r < 0) {
                v->store = store_close(v->store);
                (void)snprintf(v->store_error, sizeof v->store_error, "%s", why[0] ? why : strerror(-r));
                return;
        }
        v->store_ino = sb.st_ino;
        v->store_dev = sb.st_dev;
        v->store_error[0] = '\0';
        log_info("web", "reading %s", v->site->database);
}

static int take_run(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct view_run *r = ctx;

        (void)n;
        (void)name;
        (void)parse_int64(text[0], 1, INT64_MAX, &r->id);
        (void)snprintf(r->mode, sizeof r->mode, "%s", text[1]);
        (void)snprintf(r->version, sizeof r->version, "%s", text[2]);
        (void)parse_int64(text[3], INT64_MIN, INT64_MAX, &r->start_t_ms);
        return 0;
}

static int take_latest(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        struct view *v = ctx;
        int64_t quality, reason;
        struct view_latest *l;
        int i;

        (void)n;
        (void)name;
        i = text[0] ? site_find_point(v->site, text[0]) : -1;
        if (i < 0 || !text[1] || !text[2] || !text[3])
                return 0;
        l = &v->latest[i];
        if (parse_int64(text[1], INT64_MIN, INT64_MAX, &l->t_ms) < 0 || parse_int64(text[2], 0, 2, &quality) < 0 ||
            parse_int64(text[3], 0, 255, &reason) < 0)
                return 0;
        l->quality = (uint8_t)quality;
        l->reason = (uint8_t)reason;
        if (!text[4] || parse_double(text[4], &l->value) < 0)
                l->value = (double)NAN;
        l->present = true;
        if (quality == QUALITY_GOOD && l->t_ms > l->good_t_ms)
                l->good_t_ms = l->t_ms;
        return 0;
}

static int read_store(struct view *v)
{
        struct view_run run = {0};
        int r = store_counts(v->store, &v->counts);

        if (r == 0)
                r = store_query_rows(v->store,
                                     "SELECT id, mode, version, start_t_ms FROM run WHERE mode IN ('live', 'shadow')"
                                     " ORDER BY id DESC LIMIT 1",
                                     NULL, 0, take_run, &run);
        if (r < 0)
                return r;
        v->run = run;
        return store_query_rows(v->store,
                                "SELECT p.name, s.t_ms, s.quality, s.reason, s.value FROM latest s JOIN point p"
                                " ON p.id = s.point_id",
                                NULL, 0, take_latest, v);
}

void view_refresh(struct view *v)
{
        int64_t mono_ms = clk_real_mono_ms();

        if (v->read_mono_ms >= 0 && mono_ms - v->read_mono_ms < REFRESH_MS)
                return;
        (void)clk_follow(v->clk); /* as the gate does, whose times are compared with it */
        v->now_t_ms = clk_t_ms(v->clk);
        read_gate(v, mono_ms);
        open_store(v);
        if (v->store) {
                int r = read_store(v);
                if (r < 0 && r != -EBUSY)
                        close_store(v, store_errmsg(v->store)[0] ? store_errmsg(v->store) : strerror(-r));
        }
        v->read_mono_ms = clk_real_mono_ms();
}

double view_inlet_recommended_c(const struct site *site)
{
        return site->limits.inlet_recommended_c;
}

double view_inlet_allowable_c(const struct site *site)
{
        return site->limits.inlet_allowable_c;
}

bool view_is_present(const struct view *v, size_t point)
{
        const struct view_latest *l = &v->latest[point];

        return l->present && l->quality == QUALITY_GOOD && isfinite(l->value) &&
               v->counts.last_t_ms - l->t_ms <= VIEW_PRESENT_MS;
}
