/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* coolplane status: what the running coolplaned says, else what its database remembers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/exitcode.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/cli/db_args.h"

#define STATUS_MAX (1u << 20)
#define TIMEOUT_S 2

static const char help[] =
    "example:\n"
    "  coolplane status --config /etc/coolplane/site.yaml\n"
    "\n"
    "usage: coolplane status --config site.yaml|--db FILE [--json]\n"
    "\n"
    "Asks the running coolplaned through <run_dir>/status.sock. When it does not answer, or with --db, shows the last\n"
    "run, decision, events and counts of the database and how old they are.\n";

/* The daemon's document (malloc'ed), NULL when it does not answer within two seconds. */
char *cli_ask_daemon(const char *run_dir)
{
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int n = snprintf(to.sun_path, sizeof to.sun_path, "%s/status.sock", run_dir);
        if (n < 0 || (size_t)n >= sizeof to.sun_path)
                return NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return NULL;
        struct timeval tv = {.tv_sec = TIMEOUT_S};
        char *doc = NULL;
        size_t len = 0;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
                doc = malloc(STATUS_MAX + 1);
        while (doc && len < STATUS_MAX) {
                ssize_t got = recv(fd, doc + len, STATUS_MAX - len, 0);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0) {
                        if (got < 0)
                                len = 0;
                        break;
                }
                len += (size_t)got;
        }
        close(fd);
        if (!doc || len == 0) {
                free(doc);
                return NULL;
        }
        doc[len] = '\0';
        return doc;
}

/* "name value" lines; nothing for null. */
static int print_row(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)ctx;
        for (size_t i = 0; i < n; i++)
                if (text[i] && text[i][0])
                        printf("%-12s %s\n", name[i], text[i]);
        return 0;
}

static int print_line(void *ctx, size_t n, const char *const *name, const char *const *text)
{
        (void)ctx;
        (void)name;
        for (size_t i = 0; i < n; i++)
                printf("%s%s", i ? "  " : "", text[i] ? text[i] : "-");
        printf("\n");
        return 0;
}

static int show(const struct db_args *a, const char *sql, const struct store_param *p, size_t np, store_row_fn fn)
{
        int r = store_query_rows(a->store, sql, p, np, fn, NULL);
        if (r < 0)
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
        return r;
}

static int daemon_text(const struct db_args *a, const char *doc)
{
        static const char sql[] =
            "SELECT j ->> '$.site' AS site, j ->> '$.mode' AS mode,"
            " format('%s, %s%s%s', j ->> '$.decision', j ->> '$.reason',"
            "  iif(coalesce(j ->> '$.binding', '') = '', '', ' at '), j ->> '$.binding') AS decision,"
            " j ->> '$.last_cycle' AS 'last cycle', j ->> '$.step' AS steps,"
            " format('%d accept, %d project, %d hold, %d fallback', j ->> '$.decisions.accept',"
            "  j ->> '$.decisions.project', j ->> '$.decisions.hold', j ->> '$.decisions.fallback') AS decisions,"
            " round(j ->> '$.max_inlet_c', 2) || ' degC' AS 'hot inlet',"
            " iif(j ->> '$.model_rows_fitted' = 0 AND j ->> '$.model_rows' > 0,"
            "  format('not certified yet: 0 of %d rows fitted', j ->> '$.model_rows'),"
            "  round(j ->> '$.margin_k', 3) || ' K') AS margin,"
            " round((j ->> '$.total_power_w') / 1000, 2) || ' kW' AS power,"
            " format('%d committed, %d bad%s', j ->> '$.samples_committed', j ->> '$.samples_bad',"
            "  iif(j ->> '$.samples_dropped' > 0, format(', %d LOST: the store failed', j ->> '$.samples_dropped'), "
            "''))"
            " AS samples,"
            " iif(j ->> '$.unstored_s' IS NULL, NULL, format('NOT STORED for %d s, %d %s',"
            "  j ->> '$.unstored_s', j ->> '$.samples_waiting',"
            "  iif(j ->> '$.samples_waiting' = 1, 'sample waits', 'samples wait'))) AS store,"
            " iif(j ->> '$.planner', 'connected', 'NOT connected') AS planner,"
            " format('%d of %d rows fitted%s', j ->> '$.model_rows_fitted', j ->> '$.model_rows',"
            "  iif(j ->> '$.exploring', ', exploring', '')) AS model,"
            " iif(j ->> '$.holdout.five_min_c' IS NULL, NULL,"
            "  format('%.3f K one step ahead (persistence %.3f), %.3f K 5 min (%.3f)', j ->> '$.holdout.one_step_c',"
            "  j ->> '$.holdout.one_step_persistence_c', j ->> '$.holdout.five_min_c',"
            "  j ->> '$.holdout.five_min_persistence_c')) AS 'inlet error',"
            " iif(j -> '$.mqtt' IS NULL, NULL, iif(j ->> '$.mqtt.connected', 'connected', 'NOT connected')) AS mqtt"
            " FROM (SELECT ?1 AS j)";
        static const char devices[] =
            "SELECT format('device       %-20s %-9s %d read%s, %d error%s%s%s', value ->> '$.name',"
            " value ->> '$.state', value ->> '$.reads', iif(value ->> '$.reads' = 1, '', 's'),"
            " value ->> '$.read_errors', iif(value ->> '$.read_errors' = 1, '', 's'),"
            " iif(coalesce(value ->> '$.last_error', '') = '', '', ', last: '), value ->> '$.last_error')"
            " FROM json_each(?1, '$.devices') WHERE value ->> '$.state' <> 'up'";
        static const char fixed[] = "SELECT format('not ours     %-40s %s', value ->> '$.point', value ->> '$.reason')"
                                    " FROM json_each(?1, '$.fixed')";
        struct store_param p = {.is_text = true, .text = doc};
        int r = show(a, sql, &p, 1, print_row);
        if (r == 0)
                r = show(a, devices, &p, 1, print_line);
        if (r == 0)
                r = show(a, fixed, &p, 1, print_line);
        return r;
}

#define RUN_SQL                                                                                                        \
        "SELECT run, mode, start, end, end_reason, version, substr(config, 1, 12) AS config FROM v_runs"               \
        " ORDER BY run DESC LIMIT 1"
#define DECISION_SQL                                                                                                   \
        "SELECT step, run, time, mode, decision, reason, binding, margin, worst_inlet_c, predicted_w, move, t_ms"      \
        " FROM v_decisions ORDER BY id DESC LIMIT 1"
#define EVENTS_SQL "SELECT time, severity, component, text FROM v_events ORDER BY id DESC LIMIT 5"

/* Plant time may run faster than ours, so the age says against which clock it was taken. */
static double age_s(int64_t t_ms)
{
        struct clk clk;
        clk_init(&clk, 1, -1, 0);
        return (double)(clk_t_ms(&clk) - t_ms) / 1000;
}

static int database_text(const struct db_args *a, const struct store_counts *c)
{
        char from[32], to[32];
        printf("database     %s, %.1f MB\n", a->db, (double)c->bytes / 1e6);
        printf("samples      %lld, %lld not good\n", (long long)c->samples, (long long)c->bad);
        if (c->samples > 0)
                printf("span         %s to %s (%.0f s ago by this machine's clock)\n", clk_format(c->first_t_ms, from),
                       clk_format(c->last_t_ms, to), age_s(c->last_t_ms));
        printf("rows         %lld decision%s, %lld action%s, %lld event%s\n", (long long)c->decisions,
               PLURAL_S(c->decisions), (long long)c->actions, PLURAL_S(c->actions), (long long)c->events,
               PLURAL_S(c->events));
        int r = show(a,
                     "SELECT format('%d (%s) since %s, %s', run, mode, start, iif(end IS NULL, 'no end recorded',"
                     " 'ended ' || end || ': ' || end_reason)) AS 'last run' FROM v_runs ORDER BY run DESC LIMIT 1",
                     NULL, 0, print_row);
        if (r == 0)
                r = show(a,
                         "SELECT format('%d of run %d at %s', step, run, time) AS 'last step', mode,"
                         " format('%s, %s%s%s', decision, reason, iif(binding = '', '', ' at '), binding) AS decision,"
                         " coalesce(round(margin, 3) || ' K', " DB_UNCERTIFIED ") AS margin,"
                         " round(worst_inlet_c, 2) || ' degC' AS 'hot inlet' FROM v_decisions d"
                         " ORDER BY id DESC LIMIT 1",
                         NULL, 0, print_row);
        if (r == 0 && c->events > 0) {
                printf("last events\n");
                r = show(a,
                         "SELECT '  ' || time, severity, component || ': ' || text FROM v_events"
                         " ORDER BY id DESC LIMIT 5",
                         NULL, 0, print_line);
        }
        if (r == 0 && c->decisions > 0)
                printf("\nwhy: coolplane why latest --db %s\n", a->db);
        return r;
}

static int database_json(const struct db_args *a, const struct store_counts *c)
{
        char *run = NULL, *decision = NULL, *events = NULL;
        int r = store_query_json(a->store, RUN_SQL, NULL, 0, &run);
        if (r == 0)
                r = store_query_json(a->store, DECISION_SQL, NULL, 0, &decision);
        if (r == 0)
                r = store_query_json(a->store, EVENTS_SQL, NULL, 0, &events);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
        } else {
                printf("{\"source\":\"database\",\"database\":");
                cli_json_string(stdout, a->db);
                printf(",\"run\":");
                print_json_object(run);
                printf(",\"decision\":");
                print_json_object(decision);
                printf(",\"events\":%s,\"counts\":{\"samples\":%lld,\"good\":%lld,\"bad\":%lld,\"decisions\":%lld,"
                       "\"actions\":%lld,\"events\":%lld,\"first_t_ms\":%lld,\"last_t_ms\":%lld,\"bytes\":%lld}",
                       events, (long long)c->samples, (long long)c->good, (long long)c->bad, (long long)c->decisions,
                       (long long)c->actions, (long long)c->events, (long long)c->first_t_ms, (long long)c->last_t_ms,
                       (long long)c->bytes);
                if (c->samples > 0)
                        printf(",\"last_sample_age_s\":%.3f}\n", age_s(c->last_t_ms));
                else
                        printf(",\"last_sample_age_s\":null}\n");
        }
        free(run);
        free(decision);
        free(events);
        return r;
}

static int from_database(struct db_args *a)
{
        struct store_counts c;
        int r = store_counts(a->store, &c);
        if (r < 0)
                fprintf(stderr, "%s: %s\n", a->db, store_errmsg(a->store));
        else
                r = a->json ? database_json(a, &c) : database_text(a, &c);
        return db_exit(r);
}

int verb_status(int argc, char **argv)
{
        struct db_args a;
        char *doc = NULL;
        int code = EXIT_USAGE_;
        if (!db_args_parse(argc, argv, &a, &code))
                return code;
        if (a.help) {
                fputs(help, stdout);
                return EXIT_OK;
        }
        if (a.nrest > 0) {
                fprintf(stderr, "coolplane status: unexpected '%s'\n", a.rest[0]);
                return EXIT_USAGE_;
        }
        if (!db_args_load(&a, &code))
                goto out;
        doc = a.site ? cli_ask_daemon(a.site->run_dir) : NULL;
        if (doc && a.json) {
                fputs(doc, stdout);
                code = EXIT_OK;
                goto out;
        }
        if (a.site && !doc)
                fprintf(stderr, "coolplaned does not answer at %s/status.sock; from the database:\n", a.site->run_dir);
        if (!db_args_open(&a, &code)) {
                if (doc) { /* rather raw than nothing */
                        fputs(doc, stdout);
                        code = EXIT_OK;
                }
                goto out;
        }
        code = doc ? db_exit(daemon_text(&a, doc)) : from_database(&a);
out:
        free(doc);
        db_args_free(&a);
        return code;
}
