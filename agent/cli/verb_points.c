/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/exitcode.h"
#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/cli/cli.h"
#include "agent/drivers/readplan.h"
#include "agent/points/codec.h"
#include "agent/points/site.h"
#include "agent/points/units.h"

static const char help[] =
    "coolplane points list --config site.yaml\n"
    "coolplane points check --config site.yaml | grep sat_sp\n"
    "coolplane points plan --config site.yaml --json\n"
    "\n"
    "  list    name, role, device, address, unit and limits of every point\n"
    "  check   what the maps mean after conversion: wire address, type, order, scale and every default in force\n"
    "  plan    the merged reads each device gets\n"
    "  help    the columns of a point map, and which Brick class plays which role\n"
    "\n"
    "  --config FILE   site file (default " CLI_CONFIG_DEFAULT ")\n"
    "  --json          one JSON document on stdout\n"
    "No network: nothing is read from a device.\n";

static const char *const table_names[] = {"coil", "discrete", "holding", "input", "mqtt", "log"};

static bool is_modbus(const struct point *p)
{
        return p->table <= POINT_TABLE_INPUT;
}

static const char *device_of(const struct site *s, const struct point *p)
{
        return p->device >= 0 ? s->device[p->device].name : "-";
}

static const char *access_of(const struct point *p)
{
        return p->writable ? p->readable ? "RW" : "W" : "R";
}

/* SI value in the point's own unit, "-" when not set. Nine digits: the conversion's last bits are of no interest. */
static const char *in_unit(const struct point *p, double v, bool difference, char *buf)
{
        double w = difference ? unit_delta_from_si((enum unit)p->unit, v) : unit_from_si((enum unit)p->unit, v);
        if (isnan(v))
                return "-";
        (void)snprintf(buf, 32, "%.9g", w);
        return buf;
}

/* "holding 99 unit 1 (40100)", or the key of a message or column. */
static const char *place(const struct point *p, char *buf, size_t cap)
{
        static const int leading[] = {0, 1, 4, 3}; /* coil, discrete, holding, input */
        if (is_modbus(p))
                (void)snprintf(buf, cap, "%s %u unit %u (%d%0*d)", table_names[p->table], p->address, p->unit_id,
                               leading[p->table], p->address < 9999 ? 4 : 5, p->address + 1);
        else
                (void)snprintf(buf, cap, "%s '%s'", table_names[p->table], p->key);
        return buf;
}

static void list_text(const struct site *s)
{
        char where[128], lo[32], hi[32];
        (void)printf("%-44s %-14s %-14s %-34s %-3s %-8s %s\n", "name", "role", "device", "address", "acc", "unit",
                     "limits");
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                (void)printf("%-44s %-14s %-14s %-34s %-3s %-8s ", p->name, role_str(p->role), device_of(s, p),
                             place(p, where, sizeof(where)), access_of(p),
                             p->unit != UNIT_NONE ? unit_str((enum unit)p->unit) : "-");
                if (p->writable)
                        (void)printf("write %s..%s\n", in_unit(p, p->min, false, lo), in_unit(p, p->max, false, hi));
                else if (!isnan(p->valid_min) || !isnan(p->valid_max))
                        (void)printf("valid %s..%s\n", in_unit(p, p->valid_min, false, lo),
                                     in_unit(p, p->valid_max, false, hi));
                else
                        (void)printf("-\n");
        }
}

static void check_text(const struct site *s)
{
        char where[128], a[32], b[32], c[32];
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                (void)printf("%s:%d: %s %s %s", s->file[p->file], p->line, p->name, device_of(s, p),
                             place(p, where, sizeof(where)));
                if (is_modbus(p) && point_nregs(p) > 1)
                        (void)printf("..%u", p->address + (unsigned)point_nregs(p) - 1);
                (void)printf(" %s", point_type_str(p->type));
                if (is_modbus(p) && p->table >= POINT_TABLE_HOLDING)
                        (void)printf(" %s", point_order_str(p->order));
                if (p->type == POINT_BIT && p->table >= POINT_TABLE_HOLDING)
                        (void)printf(" bit %u", p->bit);
                (void)printf(" scale %s offset %s unit %s", format_double(p->scale, a), format_double(p->offset, b),
                             p->unit != UNIT_NONE ? unit_str((enum unit)p->unit) : "none");
                (void)printf(" role %s stale_after %.9gs", role_str(p->role), (double)p->stale_after_ms / 1e3);
                if (p->frozen_after_ms > 0)
                        (void)printf(" frozen_after %.9gs", (double)p->frozen_after_ms / 1e3);
                if (p->writable)
                        (void)printf(" min %s max %s default %s", in_unit(p, p->min, false, a),
                                     in_unit(p, p->max, false, b), in_unit(p, p->default_value, false, c));
                if (p->writable)
                        (void)printf(" tol %s settle %.9gs safe_dir %s", in_unit(p, p->tol, true, a),
                                     (double)p->settle_ms / 1e3,
                                     p->safe_dir > 0   ? "+"
                                     : p->safe_dir < 0 ? "-"
                                                       : "none");
                (void)printf("\n");
        }
}

static void number(const char *key, const struct point *p, double v, bool difference)
{
        char buf[32];
        const char *text = in_unit(p, v, difference, buf);
        (void)printf(",\"%s\":%s", key, strcmp(text, "-") == 0 ? "null" : text);
}

/* list and check: the same facts for a machine. */
static void points_json(const struct site *s)
{
        (void)printf("[");
        for (size_t i = 0; i < s->npoint; i++) {
                const struct point *p = &s->point[i];
                (void)printf("%s\n{\"name\":\"%s\",\"role\":\"%s\",\"file\":", i > 0 ? "," : "", p->name,
                             role_str(p->role));
                cli_json_string(stdout, s->file[p->file]);
                (void)printf(",\"line\":%d,\"device\":", p->line);
                if (p->device >= 0)
                        cli_json_string(stdout, s->device[p->device].name);
                else
                        (void)printf("null");
                if (is_modbus(p) && p->device >= 0) {
                        (void)printf(",\"host\":");
                        cli_json_string(stdout, s->device[p->device].host);
                        (void)printf(",\"port\":%d", s->device[p->device].port);
                }
                (void)printf(",\"equipment\":");
                if (p->equipment >= 0)
                        cli_json_string(stdout, s->equipment[p->equipment].name);
                else
                        (void)printf("null");
                (void)printf(",\"table\":\"%s\"", table_names[p->table]);
                if (is_modbus(p)) {
                        (void)printf(",\"address\":%u,\"registers\":%zu,\"unit_id\":%u,\"order\":\"%s\",\"bit\":%u",
                                     p->address, point_nregs(p), p->unit_id, point_order_str(p->order), p->bit);
                } else {
                        (void)printf(",\"key\":");
                        cli_json_string(stdout, p->key);
                }
                (void)printf(",\"type\":\"%s\",\"access\":\"%s\",\"unit\":\"%s\",\"scale\":", point_type_str(p->type),
                             access_of(p), unit_str((enum unit)p->unit));
                cli_json_number(stdout, p->scale);
                (void)printf(",\"offset\":");
                cli_json_number(stdout, p->offset);
                number("valid_min", p, p->valid_min, false);
                number("valid_max", p, p->valid_max, false);
                number("min", p, p->min, false);
                number("max", p, p->max, false);
                number("default", p, p->default_value, false);
                number("tol", p, p->tol, true);
                number("max_step", p, p->max_step, true);
                number("dead_band", p, p->dead_band, true);
                number("resolution", p, point_resolution(p), true);
                (void)printf(",\"safe_dir\":%d,\"stale_after_s\":%.9g,\"frozen_after_s\":%.9g,\"settle_s\":%.9g}",
                             p->safe_dir, (double)p->stale_after_ms / 1e3, (double)p->frozen_after_ms / 1e3,
                             (double)p->settle_ms / 1e3);
        }
        (void)printf("\n]\n");
}

static void plan_block(const struct site *s, const struct readplan *plan, const struct readblock *b, bool json,
                       bool first)
{
        if (!json) {
                (void)printf("  unit %-3u %-8s %5u..%-5u %3u %s%s, %zu point%s\n", b->unit_id, table_names[b->table],
                             b->address, b->address + b->count - 1u, b->count,
                             b->table <= POINT_TABLE_DISCRETE ? "bit" : "register", PLURAL_S(b->count), b->npoint,
                             PLURAL_S(b->npoint));
                return;
        }
        (void)printf("%s{\"unit_id\":%u,\"table\":\"%s\",\"address\":%u,\"count\":%u,\"points\":[", first ? "" : ",",
                     b->unit_id, table_names[b->table], b->address, b->count);
        for (size_t k = 0; k < b->npoint; k++) {
                (void)printf("%s", k > 0 ? "," : "");
                cli_json_string(stdout, s->point[plan->point[b->first + k]].name);
        }
        (void)printf("]}");
}

static int print_plan(const struct site *s, bool json)
{
        (void)printf("%s", json ? "[" : "");
        bool first = true;
        for (size_t d = 0; d < s->ndevice; d++) {
                const struct device *dev = &s->device[d];
                struct readplan *plan = NULL;
                if (dev->protocol == DEVICE_MQTT)
                        continue;
                if (readplan_create(s, (int)d, NULL, &plan) != 0) {
                        (void)fprintf(stderr, "coolplane: out of memory\n");
                        return EXIT_GENERIC;
                }
                if (json)
                        (void)printf("%s\n{\"device\":\"%s\",\"period_s\":%.9g,\"requests\":[", first ? "" : ",",
                                     dev->name, (double)dev->period_ms / 1e3);
                else
                        (void)printf("%s: %zu request%s for %zu point%s every %.9g s\n", dev->name, plan->nblock,
                                     PLURAL_S(plan->nblock), plan->npoint, PLURAL_S(plan->npoint),
                                     (double)dev->period_ms / 1e3);
                for (size_t k = 0; k < plan->nblock; k++)
                        plan_block(s, plan, &plan->block[k], json, k == 0);
                (void)printf("%s", json ? "]}" : "");
                readplan_free(plan);
                first = false;
        }
        (void)printf("%s", json ? "\n]\n" : "");
        return EXIT_OK;
}

static void print_help(void)
{
        const char *name, *text;
        enum equipment_class eq;
        enum role role;

        (void)printf(
            "Columns of a point map (CSV with a header row; # starts a comment; any order, only name, table and\n"
            "the address of a register are always needed). Durations: 500ms, 5s, 15m.\n\n");
        for (size_t i = 0; (name = point_column(i, &text)) != NULL; i++)
                (void)printf("  %-14s %s\n", name, text);
        (void)printf(
            "\nRoles by Brick class and class of the equipment (other known classes are stored and shown only):\n\n");
        for (size_t i = 0; (name = role_rule(i, &eq, &role)) != NULL; i++)
                (void)printf("  %-15s %-26s %s\n", role_str(role), eq == EQ_NONE ? "any" : equipment_class_str(eq),
                             name);
}

int verb_points(int argc, char **argv)
{
        static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                                {"json", no_argument, NULL, 'j'},
                                                {"help", no_argument, NULL, 'h'},
                                                {NULL, 0, NULL, 0}};
        const char *config = CLI_CONFIG_DEFAULT;
        bool json = false;
        int c;
        while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
                if (c == 'h') {
                        (void)fputs(help, stdout);
                        return EXIT_OK;
                }
                if (c == 'c')
                        config = optarg;
                else if (c == 'j')
                        json = true;
                else
                        return EXIT_USAGE_;
        }
        const char *what = argc - optind == 1 ? argv[optind] : "";
        bool list = strcmp(what, "list") == 0, check = strcmp(what, "check") == 0, plan = strcmp(what, "plan") == 0;
        if (strcmp(what, "help") == 0) {
                print_help();
                return EXIT_OK;
        }
        if (!list && !check && !plan) {
                (void)fputs(help, stderr);
                return EXIT_USAGE_;
        }
        struct site *s = NULL;
        int rc = cli_load_site(config, &s);
        if (rc != EXIT_OK)
                return rc;
        if (plan)
                rc = print_plan(s, json);
        else if (json)
                points_json(s);
        else if (list)
                list_text(s);
        else
                check_text(s);
        site_free(s);
        return rc;
}
