/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/compare_resume.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/hash.h"

#define SAMPLE_LEN (sizeof(struct yard_sample) / sizeof(double))

struct resume {
        FILE *f;
        json_t *run; /* array, oldest first */
};

struct field {
        const char *name;
        size_t offset;
        bool count; /* a uint64_t, not a double */
};
#define REAL(member)                                                                                                   \
        {                                                                                                              \
#member, offsetof(struct plant_account, member), false                                                 \
        }
#define COUNT(member)                                                                                                  \
        {                                                                                                              \
#member, offsetof(struct plant_account, member), true                                                  \
        }
static const struct field fields[] = {REAL(hours),
                                      REAL(it_kwh),
                                      REAL(it_fan_kwh),
                                      REAL(crah_fan_kwh),
                                      REAL(chiller_kwh),
                                      REAL(pump_kwh),
                                      REAL(tower_kwh),
                                      REAL(cooling_kwh),
                                      REAL(total_kwh),
                                      REAL(max_inlet_c),
                                      REAL(degmin27),
                                      REAL(degmin32),
                                      REAL(max_rise_15min_k),
                                      REAL(max_swing_15min_k),
                                      REAL(max_dewpoint_c),
                                      REAL(cold_surface_min),
                                      REAL(wet_coil_min),
                                      REAL(latent_kwh),
                                      COUNT(hard_violations),
                                      COUNT(hard_violations_since_takeover),
                                      COUNT(chiller_starts),
                                      COUNT(migrations),
                                      REAL(sat_travel_k),
                                      REAL(fan_travel_ratio),
                                      REAL(valve_travel_ratio),
                                      REAL(chwst_travel_k),
                                      COUNT(flow_trips),
                                      REAL(econ_hours),
                                      REAL(econ_alone_hours),
                                      REAL(stored_kwh),
                                      REAL(energy_residual_ratio)};
#define NFIELD (sizeof(fields) / sizeof(fields[0]))
_Static_assert(NFIELD * sizeof(double) == sizeof(struct plant_account), "every member of the account is stored");
_Static_assert(SAMPLE_LEN * sizeof(double) == sizeof(struct yard_sample), "samples are doubles only");

/* ---- values ---- */

static json_t *real(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

static double to_real(const json_t *v)
{
        return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static double member(const json_t *o, const char *name)
{
        return to_real(json_object_get(o, name));
}

static json_t *account_json(const struct plant_account *a)
{
        json_t *o = json_object();

        for (size_t i = 0; i < NFIELD; i++) {
                const char *at = (const char *)a + fields[i].offset;
                uint64_t n;
                double v;

                memcpy(&n, at, sizeof(n));
                memcpy(&v, at, sizeof(v));
                (void)json_object_set_new(o, fields[i].name, fields[i].count ? json_integer((json_int_t)n) : real(v));
        }
        return o;
}

static void account_from(const json_t *o, struct plant_account *ret)
{
        for (size_t i = 0; i < NFIELD; i++) {
                const json_t *value = json_object_get(o, fields[i].name);
                const uint64_t n = (uint64_t)json_integer_value(value);
                const double v = to_real(value);

                memcpy((char *)ret + fields[i].offset, fields[i].count ? (const void *)&n : (const void *)&v, 8);
        }
}

static json_t *trace_json(const struct yard_trace *t)
{
        json_t *all = json_array();

        for (size_t k = 0; k < t->n; k++) {
                json_t *one = json_array();
                double v[SAMPLE_LEN];

                memcpy(v, &t->sample[k], sizeof(v));
                for (size_t i = 0; i < SAMPLE_LEN; i++)
                        (void)json_array_append_new(one, real(v[i]));
                (void)json_array_append_new(all, one);
        }
        return all;
}

static bool trace_from(const json_t *all, struct yard_trace *ret)
{
        if (!json_is_array(all) || json_array_size(all) > ret->cap)
                return false;
        ret->n = json_array_size(all);
        for (size_t k = 0; k < ret->n; k++) {
                const json_t *one = json_array_get(all, k);
                double v[SAMPLE_LEN];

                for (size_t i = 0; i < SAMPLE_LEN; i++)
                        v[i] = to_real(json_array_get(one, i));
                memcpy(&ret->sample[k], v, sizeof(v));
        }
        return true;
}

/* ---- the file ---- */

static bool digest_file(const char *path, char *ret_hex)
{
        FILE *f = fopen(path, "re");
        uint8_t digest[HASH_LEN];
        char block[65536];
        struct hash h;
        size_t n;
        bool ok;

        if (f == NULL || hash_init(&h) < 0) {
                if (f != NULL)
                        (void)fclose(f);
                return false;
        }
        while ((n = fread(block, 1, sizeof(block), f)) > 0)
                hash_add(&h, block, n);
        ok = ferror(f) == 0;
        (void)fclose(f);
        hash_digest(&h, digest);
        hash_free(&h);
        (void)hash_hex(digest, HASH_LEN, ret_hex);
        return ok;
}

void resume_identity(const char *path, const char *name, struct text *t)
{
        char hex[2 * HASH_LEN + 1];

        text_put(t, name);
        if (path != NULL && digest_file(path, hex))
                text_printf(t, " (sha256 %.16s)", hex);
}

static void arrivals_identity(const char *dir, struct text *t)
{
        text_put(t, dir != NULL ? dir : "none");
        for (size_t k = 0; dir != NULL && strcmp(dir, "synthetic") != 0 && k < ARRIVALS_FILES; k++) {
                struct text path = {0};

                text_printf(&path, "%s/%s", dir, arrivals_file[k]);
                text_put(t, " ");
                resume_identity(path.v, arrivals_file[k], t);
                t->failed |= path.failed;
                text_free(&path);
        }
}

void resume_options(const struct compare_options *o, struct text *t)
{
        char at[32], curves[PLANT_PATH_BYTES];

        text_put(t, "site ");
        resume_identity(o->world.site, o->world.site, t);
        if (plant_curves_path(o->world.site, curves) > 0) {
                text_put(t, ", curves ");
                resume_identity(curves, curves, t);
        }
        text_printf(t, ", %.17g h after %.17g h, start %s, load ", o->hours, o->warmup_h,
                    o->start_ms != INT64_MIN ? clk_format(o->start_ms, at) : "by season");
        resume_identity(o->world.workload, o->world.workload ? o->world.workload : "synthetic", t);
        text_put(t, ", arrivals ");
        arrivals_identity(o->world.arrivals, t);
        for (size_t i = 0; i < o->nfault; i++)
                text_printf(t, ", fault %s@%" PRId64, o->fault[i].name, o->fault[i].t_ms);
}

/* The program itself: another compiler or another agent is another build. */
static json_t *header(const char *options)
{
        char hex[2 * HASH_LEN + 1] = "unknown";

        (void)digest_file("/proc/self/exe", hex);
        return json_pack("{s:s, s:s, s:s}", "coolplane-sim compare", COOLPLANE_VERSION, "build", hex, "options",
                         options);
}

static int put(struct resume *r, json_t *line)
{
        const bool ok = line != NULL && json_dumpf(line, r->f, JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0 &&
                        fputc('\n', r->f) != EOF && fflush(r->f) == 0 && fsync(fileno(r->f)) == 0;

        if (!ok)
                fprintf(stderr, "coolplane-sim compare: --resume: %s\n", strerror(errno));
        return ok ? EXIT_OK : EXIT_IO;
}

static int differs(const char *path, const json_t *found, const json_t *wanted, const char *what)
{
        const char *f = json_string_value(json_object_get(found, what));
        const char *w = json_string_value(json_object_get(wanted, what));

        if (f != NULL && w != NULL && strcmp(f, w) == 0)
                return EXIT_OK;
        fprintf(stderr,
                "coolplane-sim compare: %s: not the same %s, so it cannot go on there\n  there: %s\n  here:  %s\n",
                path, what, f != NULL ? f : "(none)", w != NULL ? w : "(none)");
        return EXIT_USAGE_;
}

/* Leaves the file at the end of its last whole line. */
static int load(struct resume *r, const char *path, const json_t *wanted)
{
        char *line = NULL;
        size_t cap = 0, number = 0;
        off_t whole = 0;
        int code = EXIT_OK;
        ssize_t n;

        while (code == EXIT_OK && (n = getline(&line, &cap, r->f)) > 0 && line[n - 1] == '\n') {
                json_t *o = json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, NULL);

                if (!json_is_object(o) || (number > 0 && !json_is_object(json_object_get(o, "account")))) {
                        fprintf(stderr, "coolplane-sim compare: %s:%zu: not a line of a campaign\n", path, number + 1);
                        code = EXIT_DATA;
                } else if (number == 0) {
                        code = differs(path, o, wanted, "build");
                        if (code == EXIT_OK)
                                code = differs(path, o, wanted, "options");
                } else if (json_array_append(r->run, o) < 0) {
                        code = EXIT_GENERIC;
                }
                json_decref(o);
                number++;
                whole += n;
        }
        free(line);
        if (code == EXIT_OK && (fseeko(r->f, whole, SEEK_SET) != 0 || ftruncate(fileno(r->f), whole) != 0)) {
                fprintf(stderr, "coolplane-sim compare: %s: %s\n", path, strerror(errno));
                code = EXIT_IO;
        }
        return code;
}

int resume_open(const char *path, const char *options, struct resume **ret)
{
        struct resume *r = calloc(1, sizeof(*r));
        json_t *wanted = header(options);
        int code = EXIT_GENERIC;

        if (r == NULL || wanted == NULL)
                goto out;
        r->run = json_array();
        r->f = fopen(path, "a+e");
        if (r->f == NULL || flock(fileno(r->f), LOCK_EX | LOCK_NB) != 0) {
                fprintf(stderr, "coolplane-sim compare: %s: %s\n", path,
                        errno == EWOULDBLOCK ? "another campaign writes it" : strerror(errno));
                code = EXIT_IO;
                goto out;
        }
        rewind(r->f);
        code = load(r, path, wanted);
        if (code == EXIT_OK && ftello(r->f) == 0)
                code = put(r, wanted);
        if (code == EXIT_OK) {
                *ret = r;
                r = NULL;
        }
out:
        json_decref(wanted);
        (void)resume_close(r);
        return code;
}

struct resume *resume_close(struct resume *r)
{
        if (r != NULL) {
                json_decref(r->run);
                if (r->f != NULL)
                        (void)fclose(r->f);
        }
        free(r);
        return NULL;
}

static bool is(const json_t *o, const char *name, const char *value)
{
        const char *v = json_string_value(json_object_get(o, name));

        return v != NULL && strcmp(v, value) == 0;
}

bool resume_find(const struct resume *r, const struct resume_key *key, struct yard_result *ret,
                 struct yard_trace *trace)
{
        for (size_t i = json_array_size(r->run); i-- > 0;) {
                const json_t *o = json_array_get(r->run, i), *best = json_object_get(o, "best");
                struct yard_result found = {0};

                if (!is(o, "controller", key->controller) || !is(o, "weather", key->weather) ||
                    !is(o, "season", key->season) ||
                    (uint64_t)json_integer_value(json_object_get(o, "seed")) != key->seed)
                        continue;
                if (trace != NULL && !trace_from(json_object_get(o, "trace"), trace))
                        continue;
                account_from(json_object_get(o, "account"), &found.account);
                found.cpu_s = member(o, "cpu_s");
                found.evaluations = (unsigned)json_integer_value(json_object_get(o, "evaluations"));
                for (size_t k = 0; k < 4; k++)
                        found.decisions[k] =
                            (uint64_t)json_integer_value(json_array_get(json_object_get(o, "decisions"), k));
                for (size_t k = 0; k < PLANT_CRAH_MAX; k++) { /* constants are the same for all */
                        found.best.sat_c[k] = member(best, "sat_c");
                        found.best.fan_ratio[k] = member(best, "fan_ratio");
                }
                found.best.chwst_c = member(best, "chwst_c");
                found.best.cwst_c = member(best, "cwst_c");
                found.best.chillers = (uint32_t)json_integer_value(json_object_get(best, "chillers"));
                *ret = found;
                return true;
        }
        return false;
}

int resume_add(struct resume *r, const struct resume_key *key, const struct yard_result *result,
               const struct yard_trace *trace)
{
        json_t *o =
            json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:[IIII], s:{s:o, s:o, s:o, s:o, s:I}}", "controller",
                      key->controller, "weather", key->weather, "season", key->season, "seed", (json_int_t)key->seed,
                      "account", account_json(&result->account), "cpu_s", real(result->cpu_s), "evaluations",
                      (json_int_t)result->evaluations, "decisions", (json_int_t)result->decisions[0],
                      (json_int_t)result->decisions[1], (json_int_t)result->decisions[2],
                      (json_int_t)result->decisions[3], "best", "sat_c", real(result->best.sat_c[0]), "fan_ratio",
                      real(result->best.fan_ratio[0]), "chwst_c", real(result->best.chwst_c), "cwst_c",
                      real(result->best.cwst_c), "chillers", (json_int_t)result->best.chillers);
        int code;

        if (o != NULL && trace != NULL)
                (void)json_object_set_new(o, "trace", trace_json(trace));
        code = put(r, o);
        json_decref(o);
        return code;
}
