/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Reads a scenario; every error names file and line. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/parse.h"
#include "sim/scenario.h"

enum { ERR_SIZE = 256, LINE_BYTES = 512, WORDS_MAX = 7 };

const char *scenario_part_name(enum scenario_part p)
{
        static const char *const name[SCENARIO_PARTS] = {
            [SP_WHOLE] = "", [SP_SINCE] = "since", [SP_DURING] = "during", [SP_AFTER] = "after"};

        return name[p];
}

static const char *set_controller(const char *word, size_t n, enum scenario_controller *ret)
{
        static const char *const name[SCENARIO_CONTROLLERS] = {[SCENARIO_C] = "c",
                                                               [SCENARIO_C0] = "c0",
                                                               [SCENARIO_B0] = "b0",
                                                               [SCENARIO_B2] = "b2",
                                                               [SCENARIO_CALM] = "calm"};

        for (size_t k = 0; k < n; k++)
                if (strcmp(word, name[k]) == 0) {
                        *ret = (enum scenario_controller)k;
                        return NULL;
                }
        return "not a controller (c, c0, b0, b2)";
}

static const char *set_start(const char *key, const char *word, int64_t *ret)
{
        static const char *const season[][2] = {{"winter", "2026-01-15T00:00:00Z"},
                                                {"spring", "2026-04-15T00:00:00Z"},
                                                {"summer", "2026-07-15T00:00:00Z"},
                                                {"autumn", "2026-10-15T00:00:00Z"}};

        if (strcmp(key, "start") == 0)
                return clk_parse_time(word, ret) < 0 ? "not an RFC 3339 time" : NULL;
        for (size_t k = 0; k < sizeof(season) / sizeof(season[0]); k++)
                if (strcmp(word, season[k][0]) == 0)
                        return clk_parse_time(season[k][1], ret) < 0 ? "not a time" : NULL;
        return "not a season (winter, spring, summer, autumn)";
}

static const char *set_seconds(const char *word, double *ret)
{
        int64_t ms;

        if (parse_duration_ms(word, &ms) < 0 || ms < 0 || ms > INT64_C(86400000) * 366)
                return "not a duration (30s, 15m, 2h, 1d)";
        *ret = (double)ms / 1e3;
        return NULL;
}

static const char *set_number(const char *word, double lo, double hi, double *ret)
{
        double v;

        if (parse_double(word, &v) < 0 || !(v >= lo && v <= hi))
                return "not a number in range";
        *ret = v;
        return NULL;
}

static const char *add_event(struct scenario *s, char *const *w, size_t n, int line)
{
        static const char *const kind[] = {
            [SE_FAULT] = "fault", [SE_PLANNER] = "planner", [SE_SILENCE] = "silence", [SE_AGENT] = "agent"};
        struct scenario_event e = {.line = line};
        const char *why;
        size_t k, at;

        if (n != 4 && !(n == 3 && strcmp(w[2], "hear") == 0))
                return "at TIME fault|planner|silence|agent WHAT, or at TIME hear";
        if (s->nevent == SCENARIO_EVENTS_MAX)
                return "too many events";
        if (strcmp(w[1], "start") == 0)
                e.at_s = SCENARIO_START_S;
        else if ((why = set_seconds(w[1], &e.at_s)) != NULL)
                return why;
        else if (fmod(e.at_s, SCENARIO_SCAN_S) != 0.0)
                return "not a whole number of scans (5 s)";
        for (k = 0; k < sizeof(kind) / sizeof(kind[0]) && strcmp(w[2], kind[k]) != 0; k++)
                ;
        if (n == 3)
                k = SE_SILENCE;
        if (k == sizeof(kind) / sizeof(kind[0]))
                return "not an event (fault, planner, silence, hear, agent)";
        e.kind = (enum scenario_event_kind)k;
        if (n == 4 && parse_copy(e.arg, sizeof(e.arg), w[3]) < 0)
                return "too long";
        if (e.at_s < 0.0 && e.kind != SE_FAULT)
                return "only a fault can be there at the start";
        if (e.kind == SE_AGENT && strcmp(e.arg, "dead") != 0 && strcmp(e.arg, "alive") != 0)
                return "agent dead or agent alive";
        if (e.kind == SE_PLANNER && scenario_proposer(e.arg) < 0)
                return "not a planner (on, off, nan, random, bangbang, warmest, malformed)";
        for (at = s->nevent++; at > 0 && s->event[at - 1].at_s > e.at_s; at--)
                s->event[at] = s->event[at - 1];
        s->event[at] = e;
        return NULL;
}

static const char *add_limit(struct scenario *s, char *const *w, size_t n, int line)
{
        struct scenario_limit l = {.line = line};
        const char *why;
        size_t k;

        for (k = SP_SINCE; n > 1 && k < SCENARIO_PARTS; k++)
                if (strcmp(w[1], scenario_part_name((enum scenario_part)k)) == 0) {
                        l.part = (enum scenario_part)k;
                        w++;
                        n--;
                        break;
                }
        if (n != 4 && n != 5)
                return "limit [since|during|after] MEASURE <= NUMBER [CONTROLLER]";
        if (s->nlimit == SCENARIO_LIMITS_MAX)
                return "too many limits";
        for (k = 0; k < SM_COUNT && strcmp(w[1], scenario_measure_name((enum scenario_measure)k)) != 0; k++)
                ;
        if (k == SM_COUNT)
                return "no such measure (coolplane-sim scenario --measures)";
        l.measure = (enum scenario_measure)k;
        if (l.measure == SM_RESIDUAL && l.part != SP_WHOLE)
                return "a measure of the whole only";
        l.at_most = strcmp(w[2], "<=") == 0;
        if (!l.at_most && strcmp(w[2], ">=") != 0)
                return "<= or >=";
        l.relative = n == 5;
        l.added = l.relative && (w[3][0] == '+' || w[3][0] == '-');
        why = set_number(w[3] + (l.relative && w[3][0] == '+'), -1e12, 1e12, &l.value);
        if (why == NULL && l.relative)
                why = set_controller(w[4], SCENARIO_CONTROLLERS, &l.to);
        if (why == NULL)
                s->limit[s->nlimit++] = l;
        return why;
}

static const char *statement(struct scenario *s, char *const *w, size_t n, int line)
{
        const char *key = w[0];
        double v;
        const char *why;

        if (strcmp(key, "at") == 0)
                return add_event(s, w, n, line);
        if (strcmp(key, "limit") == 0)
                return add_limit(s, w, n, line);
        if (strcmp(key, "economiser") == 0 && n == 1) {
                s->economiser = true;
                return NULL;
        }
        if (n != 2)
                return "a key and one value";
        if (strcmp(key, "site") == 0)
                return parse_copy(s->site, sizeof(s->site), w[1]) < 0 ? "not a site" : NULL;
        if (strcmp(key, "controller") == 0)
                return set_controller(w[1], SCENARIO_CALM, &s->controller);
        if (strcmp(key, "local") == 0) {
                if (strcmp(w[1], "fixed") != 0 && strcmp(w[1], "trim") != 0)
                        return "fixed or trim";
                s->local = strcmp(w[1], "trim") == 0 ? PLANT_LOCAL_TRIM_RESPOND : PLANT_LOCAL_FIXED;
                return NULL;
        }
        if (strcmp(key, "start") == 0 || strcmp(key, "season") == 0)
                return set_start(key, w[1], &s->start_ms);
        if (strcmp(key, "warmup") == 0)
                return set_seconds(w[1], &s->warmup_s);
        if (strcmp(key, "identify") == 0)
                return set_seconds(w[1], &s->identify_s);
        if (strcmp(key, "settle") == 0)
                return set_seconds(w[1], &s->settle_s);
        if (strcmp(key, "hours") == 0) {
                why = set_number(w[1], 0.1, 24 * 366, &v);
                if (why == NULL)
                        s->run_s = v * 3600.0;
                return why;
        }
        if (strcmp(key, "seeds") == 0)
                return parse_int64(w[1], 1, 1000, &s->seeds) < 0 ? "1 to 1000" : NULL;
        if (strcmp(key, "containment") == 0)
                return set_number(w[1], 0, 1, &s->containment);
        if (strcmp(key, "crah-fan-w") == 0)
                return set_number(w[1], 1, 1e6, &s->crah_fan_w);
        if (strcmp(key, "loop-volume-m3") == 0) {
                s->loop_volume_line = line;
                return set_number(w[1], 0.01, 1e5, &s->loop_volume_m3);
        }
        if (strcmp(key, "vms") == 0)
                return set_number(w[1], 1, 1e5, &s->vms);
        return "no such key";
}

int scenario_proposer(const char *word)
{
        static const char *const name[] = {[SC_ON] = "on",
                                           [SC_OFF] = "off",
                                           [SC_NAN] = "nan",
                                           [SC_RANDOM] = "random",
                                           [SC_BANGBANG] = "bangbang",
                                           [SC_WARMEST] = "warmest",
                                           [SC_MALFORMED] = "malformed"};

        for (size_t k = 0; k < sizeof(name) / sizeof(name[0]); k++)
                if (strcmp(word, name[k]) == 0)
                        return (int)k;
        return -EINVAL;
}

/* *line: where it is said, if anywhere. */
static const char *complete(const struct scenario *s, int *line)
{
        struct plant_spec spec;

        if (isfinite(s->loop_volume_m3) && plant_spec_named(s->site, &spec) == 0 &&
            s->loop_volume_m3 < plant_min_volume_m3(&spec)) {
                *line = s->loop_volume_line;
                return "loop-volume-m3: less than the pumps move in 17 s";
        }
        if (s->nlimit == 0)
                return "no limit: the scenario cannot fail";
        for (size_t i = 0; i < s->nevent; i++)
                if (s->event[i].at_s >= s->run_s) {
                        *line = s->event[i].line;
                        return "an event at the end or after it";
                }
        for (size_t i = 0; i < s->nlimit; i++) {
                const struct scenario_limit *l = &s->limit[i];
                const bool none = l->part != SP_WHOLE && s->nevent == 0;

                if (none || (l->part == SP_DURING && s->event[s->nevent - 1].at_s <= s->event[0].at_s)) {
                        *line = l->line;
                        return none ? "a limit since, during or after an event that does not exist"
                                    : "a limit during a single event: say since";
                }
        }
        return NULL;
}

int scenario_read(const char *path, struct scenario *ret, char *reterr)
{
        struct scenario s = {.path = path,
                             .site = "tiny",
                             .warmup_s = 7200,
                             .identify_s = 7200,
                             .run_s = 3 * 3600,
                             .seeds = 1,
                             .containment = (double)NAN,
                             .crah_fan_w = (double)NAN,
                             .loop_volume_m3 = (double)NAN,
                             .vms = (double)NAN};
        const char *base = strrchr(path, '/'), *why = NULL;
        char text[LINE_BYTES];
        FILE *f = fopen(path, "re");
        int line = 0;

        if (f == NULL) {
                const int err = errno;
                (void)snprintf(reterr, ERR_SIZE, "%.180s: %s", path, strerror(err));
                return -err;
        }
        (void)set_start("season", "summer", &s.start_ms);
        base = base != NULL ? base + 1 : path;
        (void)snprintf(s.name, sizeof(s.name), "%.*s", (int)strcspn(base, "."), base);
        while (why == NULL && fgets(text, sizeof(text), f) != NULL) {
                char *word[WORDS_MAX], *save = NULL;
                size_t n = 0;

                line++;
                if (strchr(text, '\n') == NULL && !feof(f)) {
                        why = "line too long";
                        break;
                }
                text[strcspn(text, "#\r\n")] = '\0';
                for (char *p = strtok_r(text, " \t", &save); p != NULL && n < WORDS_MAX;
                     p = strtok_r(NULL, " \t", &save))
                        word[n++] = p;
                if (n > 0)
                        why = n == WORDS_MAX ? "too many words" : statement(&s, word, n, line);
        }
        (void)fclose(f);
        if (why == NULL)
                why = complete(&s, &line);
        if (why != NULL) {
                (void)snprintf(reterr, ERR_SIZE, "%.150s:%d: %.80s", path, line, why);
                return -EINVAL;
        }
        *ret = s;
        return 0;
}
