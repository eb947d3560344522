/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* One point-map file → rows with parsed cells. Everything a row can say wrong by itself is told here. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/base/text.h"
#include "agent/points/codec.h"
#include "agent/points/csv.h"
#include "agent/points/site_internal.h"
#include "agent/points/units.h"

#define VALID_SPANS 10 /* widths of min..max that a setpoint may read beyond it */

enum column {
        C_NAME,
        C_DEVICE,
        C_TABLE,
        C_ADDRESS,
        C_ADDRESS_STYLE,
        C_UNIT_ID,
        C_TYPE,
        C_ORDER,
        C_BIT,
        C_LENGTH,
        C_SCALE,
        C_OFFSET,
        C_UNIT,
        C_ACCESS,
        C_INVALID,
        C_VALID_MIN,
        C_VALID_MAX,
        C_MAX_RATE,
        C_FROZEN_AFTER,
        C_STALE_AFTER,
        C_MIN,
        C_MAX,
        C_DEFAULT,
        C_MAX_STEP,
        C_MIN_INTERVAL,
        C_SETTLE,
        C_TOL,
        C_SAFE_DIR,
        C_LEASE,
        C_BRICK,
        C_ZONE,
        C_INTERLOCK,
        C_EQUIPMENT,
        C_KEY,
        C_DEAD_BAND,
        C_COUNT_
};

static const char *const column_names[C_COUNT_ + 1] = {
    "name",         "device",   "table",        "address",     "address_style", "unit_id", "type",    "order",
    "bit",          "length",   "scale",        "offset",      "unit",          "access",  "invalid", "valid_min",
    "valid_max",    "max_rate", "frozen_after", "stale_after", "min",           "max",     "default", "max_step",
    "min_interval", "settle",   "tol",          "safe_dir",    "lease",         "brick",   "zone",    "interlock",
    "equipment",    "key",      "dead_band",    NULL,
};

/* Printed by `coolplane points help`. Numbers are in the point's unit unless a unit is named. */
#define SETTLE_MS 1000

static const char *const column_help[C_COUNT_] = {
    [C_NAME] = "of the point; in a device's profile without path, else site/zone/equipment/point",
    [C_DEVICE] = "device of the site file; not in a profile",
    [C_TABLE] = "coil, discrete, holding, input, mqtt or log",
    [C_ADDRESS] = "register as the maker's manual counts it, see address_style",
    [C_ADDRESS_STYLE] = "wire (0-based), one_based, modicon5 (40001), modicon6 (400001); default the device's",
    [C_UNIT_ID] = "Modbus unit id; default the device's",
    [C_TYPE] = "bit, int16, uint16, int32, uint32, int64, uint64, float32, float64, string",
    [C_ORDER] = "byte order, A = most significant: AB BA, ABCD DCBA BADC CDAB, ABCDEFGH ...",
    [C_BIT] = "bit 0 to 15 of a register, for type bit",
    [C_LENGTH] = "registers of a string",
    [C_SCALE] = "value = raw x scale + offset; default 1",
    [C_OFFSET] = "default 0",
    [C_UNIT] = "degC degF kelvin deltaK W kW ton Pa psi m3/s gpm cfm % ratio ...; a difference is not a temperature",
    [C_ACCESS] = "R (default), W or RW; only holding registers are written; a setpoint must be RW",
    [C_INVALID] = "values that mean no reading: 0x8000 (raw), -999 or nan, separated by ; or blanks",
    [C_VALID_MIN] = "readings below are bad; default when access has W and neither is given: min - 10 (max - min)",
    [C_VALID_MAX] = "readings above are bad; default when access has W and neither is given: max + 10 (max - min)",
    [C_MAX_RATE] = "per second; readings that change faster are bad",
    [C_FROZEN_AFTER] = "duration; a reading unchanged this long is bad",
    [C_STALE_AFTER] = "duration; default 5 scans, at least 30s (1m over MQTT, 10m in a log)",
    [C_MIN] = "hard bound of what is written; needed when access has W",
    [C_MAX] = "hard bound of what is written; needed when access has W",
    [C_DEFAULT] = "what the plant runs on its own: written on hand-back; default the bound that cools most",
    [C_MAX_STEP] = "largest change toward less cooling per control step; default 0.5 K air, 1 K water, 0.05 fan",
    [C_MIN_INTERVAL] = "duration; least time between two writes toward less cooling",
    [C_SETTLE] = "duration; wait before a write is read back; default 1s, a program scan of a PLC",
    [C_TOL] = "read-back tolerance; default half a count",
    [C_SAFE_DIR] = "direction of more cooling: + (fan, chiller enable), - (supply air, chilled water); else empty",
    [C_LEASE] = "duration; the device forgets the setpoint unless it is written again; at least two fast steps",
    [C_BRICK] = "Brick class: what the point means, see below",
    [C_ZONE] = "zone of the site file; default the equipment's",
    [C_INTERLOCK] = "name of a point: while it reads 1 or cannot be read, full cooling of the whole plant; 0 = clear",
    [C_EQUIPMENT] = "equipment of the site file, - for none; default the name's third part or the device's",
    [C_KEY] = "member of an MQTT message's values, or column of a log; default the name's last part",
    [C_DEAD_BAND] = "smaller proposed changes are not made; default 0.2 K, 0.02 fan; at least one count",
};

const char *point_column(size_t i, const char **ret_help)
{
        if (i >= C_COUNT_)
                return NULL;
        *ret_help = column_help[i];
        return column_names[i];
}

static const char *const table_names[] = {"coil", "discrete", "holding", "input", "mqtt", "log", NULL};
static const char *const style_names[] = {"", "wire", "one_based", "modicon5", "modicon6", NULL};

struct reading {
        struct builder *b;
        struct map *map;
        bool is_profile, have_header;
        int column[CSV_CELLS_MAX]; /* of each cell, −1 = unknown */
        size_t ncolumn;
        int file;
        /* the row at hand */
        char *const *cell;
        size_t ncell;
        struct pos at;
};

int address_style_from_str(const char *s)
{
        for (int i = ADDRESS_WIRE; style_names[i] != NULL; i++)
                if (strcmp(s, style_names[i]) == 0)
                        return i;
        return -1;
}

static const char *get(const struct reading *r, enum column c)
{
        for (size_t i = 0; i < r->ncolumn && i < r->ncell; i++)
                if (r->column[i] == (int)c)
                        return r->cell[i];
        return "";
}

static void header(struct reading *r)
{
        char hint[128];
        bool seen[C_COUNT_] = {false};
        r->ncolumn = r->ncell;
        for (size_t i = 0; i < r->ncell; i++) {
                int c = 0;
                while (c < C_COUNT_ && strcmp(r->cell[i], column_names[c]) != 0)
                        c++;
                r->column[i] = c < C_COUNT_ ? c : -1;
                if (c == C_COUNT_)
                        bad(r->b, r->at, "unknown column '%.64s'%s", r->cell[i],
                            suggest_list(r->cell[i], column_names, hint));
                else if (seen[c])
                        bad(r->b, r->at, "column '%s' is given twice", column_names[c]);
                else
                        seen[c] = true;
        }
        if (!seen[C_NAME])
                bad(r->b, r->at, "the header row has no column 'name'");
        r->have_header = true;
}

static void text_cell(struct reading *r, enum column c, char *dst, size_t cap)
{
        if (parse_copy(dst, cap, get(r, c)) != 0)
                bad(r->b, r->at, "%s: longer than %zu characters", column_names[c], cap - 1);
}

/* Empty = fallback. */
static double number_cell(struct reading *r, enum column c, double fallback)
{
        double v = fallback;
        const char *s = get(r, c);
        if (s[0] != '\0' && parse_double(s, &v) != 0)
                bad(r->b, r->at, "%s: '%.64s' is not a finite number", column_names[c], s);
        return v;
}

static int64_t int_cell(struct reading *r, enum column c, int64_t lo, int64_t hi, int64_t fallback)
{
        int64_t v = fallback;
        const char *s = get(r, c);
        if (s[0] != '\0' && parse_int64(s, lo, hi, &v) != 0)
                bad(r->b, r->at, "%s: '%.64s' is not a whole number from %lld to %lld", column_names[c], s,
                    (long long)lo, (long long)hi);
        return v;
}

static int64_t duration_cell(struct reading *r, enum column c)
{
        int64_t v = 0;
        const char *s = get(r, c);
        if (s[0] != '\0' && parse_duration_ms(s, &v) != 0)
                bad(r->b, r->at, "%s: '%.64s' is not a duration like 500ms, 5s, 15m", column_names[c], s);
        return v;
}

/* Index of a cell's text in a list; fallback when empty, −1 after reporting. */
static int choice_cell(struct reading *r, enum column c, const char *const *names, int fallback)
{
        char hint[128];
        const char *s = get(r, c);
        if (s[0] == '\0')
                return fallback;
        for (int i = 0; names[i] != NULL; i++)
                if (strcmp(s, names[i]) == 0)
                        return i;
        bad(r->b, r->at, "%s: unknown '%.64s'%s", column_names[c], s, suggest_list(s, names, hint));
        return -1;
}

static const char *unit_name(const void *ctx, size_t i)
{
        (void)ctx;
        return i + 1 < UNIT_COUNT_ ? unit_str((enum unit)(i + 1)) : NULL;
}

static const char *brick_name(const void *ctx, size_t i)
{
        (void)ctx;
        return point_brick_name(i);
}

/* "[0x8000, nan, 255]" with or without brackets and quotes; separators , ; | or blank. */
static void invalid_cell(struct reading *r, struct point *p)
{
        char buf[256], *rest = buf;
        if (parse_copy(buf, sizeof(buf), get(r, C_INVALID)) != 0) {
                bad(r->b, r->at, "invalid: too long");
                return;
        }
        for (char *tok = strtok_r(buf, "[]\"',;| \t", &rest); tok != NULL; tok = strtok_r(NULL, "[]\"',;| \t", &rest)) {
                struct point_invalid v = {.kind = INVALID_VALUE};
                int64_t raw;
                size_t width = point_nregs(p) * 4; /* hex digits */
                if (strcmp(tok, "nan") == 0 || strcmp(tok, "NaN") == 0) {
                        v.kind = INVALID_NAN;
                } else if (strncmp(tok, "0x", 2) == 0 || strncmp(tok, "0X", 2) == 0) {
                        v.kind = INVALID_RAW;
                        if (strlen(tok) - 2 > width || strspn(tok + 2, "0123456789abcdefABCDEF") != strlen(tok) - 2 ||
                            strlen(tok) == 2) {
                                bad(r->b, r->at, "invalid: '%s' does not fit a register pattern of %zu hex digits", tok,
                                    width);
                                continue;
                        }
                        for (const char *h = tok + 2; *h != '\0'; h++) { /* parse_int64 stops at 63 bits */
                                char digit[4] = {'0', 'x', *h, '\0'};
                                (void)parse_int64(digit, 0, 15, &raw);
                                v.raw = v.raw << 4 | (uint64_t)raw;
                        }
                } else if (parse_double(tok, &v.value) != 0) {
                        bad(r->b, r->at, "invalid: '%s' is neither nan, a hex register pattern nor a number", tok);
                        continue;
                }
                if (p->ninvalid == POINT_INVALID_MAX) {
                        bad(r->b, r->at, "invalid: more than %d values", POINT_INVALID_MAX);
                        return;
                }
                p->invalid[p->ninvalid++] = v;
        }
}

/* table, address, type, order, bit, length: what is on the wire. */
static void wire_cells(struct reading *r, struct map_row *row)
{
        char hint[128];
        struct point *p = &row->p;
        int table = choice_cell(r, C_TABLE, table_names, -2);
        bool modbus = table >= POINT_TABLE_COIL && table <= POINT_TABLE_INPUT;
        bool bits = table == POINT_TABLE_COIL || table == POINT_TABLE_DISCRETE;
        if (table == -2)
                bad(r->b, r->at, "table: missing (coil, discrete, holding, input, mqtt or log)");
        p->table = table >= 0 ? (enum point_table)table : POINT_TABLE_HOLDING;

        const char *s = get(r, C_TYPE);
        int type = bits ? POINT_BIT : modbus ? -2 : POINT_FLOAT64;
        if (s[0] != '\0')
                type = point_type_from_str(s);
        if (type == -2)
                bad(r->b, r->at, "type: missing (bit, int16, uint16, int32, … float64, string)");
        else if (type < 0)
                bad(r->b, r->at, "type: unknown '%.64s'%s", s,
                    suggest_list(s,
                                 (const char *const[]){"bit", "int16", "uint16", "int32", "uint32", "int64", "uint64",
                                                       "float32", "float64", "string", NULL},
                                 hint));
        else if (bits && type != POINT_BIT)
                bad(r->b, r->at, "type: a %s is a bit, not %s", table_names[table], s);
        else if (table == POINT_TABLE_LOG && type == POINT_STRING)
                bad(r->b, r->at, "type: a log column is a number");
        p->type = type >= 0 ? (enum point_type)type : POINT_UINT16;

        p->length = (uint16_t)int_cell(r, C_LENGTH, 1, 125, 1);
        if (p->type != POINT_STRING && get(r, C_LENGTH)[0] != '\0')
                bad(r->b, r->at, "length: only for strings");
        if (p->type == POINT_STRING && get(r, C_LENGTH)[0] == '\0')
                bad(r->b, r->at, "length: a string needs its number of registers");
        p->bit = (uint8_t)int_cell(r, C_BIT, 0, 15, 0);
        if (get(r, C_BIT)[0] != '\0' && (p->type != POINT_BIT || bits))
                bad(r->b, r->at, "bit: only for type bit inside a register");

        size_t width = p->type == POINT_STRING ? 2 : 2 * point_nregs(p);
        s = get(r, C_ORDER);
        int order = width == 2 ? ORDER_AB : width == 4 ? ORDER_ABCD : ORDER_ABCDEFGH;
        if (s[0] != '\0' && point_order_from_str(s) < 0)
                bad(r->b, r->at, "order: unknown '%.64s' (2 bytes AB BA; 4 bytes ABCD DCBA BADC CDAB; 8 bytes …)", s);
        else if (s[0] != '\0' && strlen(s) != width)
                bad(r->b, r->at, "order: %s is %zu byte%s but %s is %zu", s, strlen(s), PLURAL_S(strlen(s)),
                    point_type_str(p->type), width);
        else if (s[0] != '\0')
                order = point_order_from_str(s);
        p->order = (enum point_order)order;

        text_cell(r, C_ADDRESS, row->address, sizeof(row->address));
        if (modbus && row->address[0] == '\0')
                bad(r->b, r->at, "address: missing");
        int style = choice_cell(r, C_ADDRESS_STYLE, style_names, ADDRESS_UNSET);
        row->style = style > 0 ? (enum address_style)style : ADDRESS_UNSET;
        row->has_unit_id = get(r, C_UNIT_ID)[0] != '\0';
        p->unit_id = (uint8_t)int_cell(r, C_UNIT_ID, 0, 255, 0);
        text_cell(r, C_KEY, p->key, sizeof(p->key));
}

/* scale, offset, unit, plausibility of readings. */
static void reading_cells(struct reading *r, struct point *p)
{
        char hint[128];
        p->scale = number_cell(r, C_SCALE, 1);
        p->offset = number_cell(r, C_OFFSET, 0);
        if (p->scale == 0) {
                bad(r->b, r->at, "scale: 0 makes every reading the same");
                p->scale = 1; /* the checks that follow divide by it */
        }
        int unit = unit_from_str(get(r, C_UNIT));
        if (unit < 0)
                bad(r->b, r->at, "unit: unknown '%.64s'%s", get(r, C_UNIT),
                    suggest(get(r, C_UNIT), unit_name, NULL, hint));
        p->unit = unit >= 0 ? unit : UNIT_NONE;
        enum unit u = (enum unit)p->unit;
        p->valid_min = unit_to_si(u, number_cell(r, C_VALID_MIN, (double)NAN));
        p->valid_max = unit_to_si(u, number_cell(r, C_VALID_MAX, (double)NAN));
        if (p->valid_min > p->valid_max)
                bad(r->b, r->at, "valid_min %s is above valid_max %s", get(r, C_VALID_MIN), get(r, C_VALID_MAX));
        p->max_rate = unit_delta_to_si(u, number_cell(r, C_MAX_RATE, (double)NAN));
        if (p->max_rate <= 0)
                bad(r->b, r->at, "max_rate: must be above 0");
        p->frozen_after_ms = duration_cell(r, C_FROZEN_AFTER);
        p->stale_after_ms = duration_cell(r, C_STALE_AFTER);
        invalid_cell(r, p);
}

static void write_cells(struct reading *r, struct map_row *row)
{
        struct point *p = &row->p;
        enum unit u = (enum unit)p->unit;
        int access = choice_cell(r, C_ACCESS, (const char *const[]){"R", "W", "RW", NULL}, 0);
        p->readable = access != 1;
        p->writable = access > 0;
        p->min = unit_to_si(u, number_cell(r, C_MIN, (double)NAN));
        p->max = unit_to_si(u, number_cell(r, C_MAX, (double)NAN));
        p->default_value = unit_to_si(u, number_cell(r, C_DEFAULT, (double)NAN));
        p->max_step = unit_delta_to_si(u, number_cell(r, C_MAX_STEP, (double)NAN));
        p->dead_band = unit_delta_to_si(u, number_cell(r, C_DEAD_BAND, (double)NAN));
        p->min_interval_ms = duration_cell(r, C_MIN_INTERVAL);
        p->settle_ms = p->writable && get(r, C_SETTLE)[0] == '\0' ? SETTLE_MS : duration_cell(r, C_SETTLE);
        row->has_tol = get(r, C_TOL)[0] != '\0';
        p->tol = unit_delta_to_si(u, number_cell(r, C_TOL, 0));
        p->lease_ms = duration_cell(r, C_LEASE);
        int dir = choice_cell(r, C_SAFE_DIR, (const char *const[]){"-", "", "+", NULL}, 1);
        p->safe_dir = dir >= 0 ? dir - 1 : 0;

        if (p->min > p->max)
                bad(r->b, r->at, "min %s is above max %s", get(r, C_MIN), get(r, C_MAX));
        if (p->max_step <= 0)
                bad(r->b, r->at, "max_step: must be above 0");
        else if (p->max_step < point_resolution(p) * (1 - 1e-9))
                bad(r->b, r->at, "max_step: %s is less than one count of the register", get(r, C_MAX_STEP));
        if (p->dead_band < 0)
                bad(r->b, r->at, "dead_band: must not be negative");
        if (p->dead_band > p->max_step)
                bad(r->b, r->at, "dead_band: %s is more than max_step %s: the planner could never move it",
                    get(r, C_DEAD_BAND), get(r, C_MAX_STEP));
        if (p->tol < 0)
                bad(r->b, r->at, "tol: must not be negative");
        if (!isnan(p->default_value) && (p->default_value < p->min || p->default_value > p->max))
                bad(r->b, r->at, "default %s is outside min..max", get(r, C_DEFAULT));
        if (!p->writable)
                return;
        double slack = VALID_SPANS * (p->max - p->min);
        if (isnan(p->valid_min) && isnan(p->valid_max) && isfinite(p->min - slack) && isfinite(p->max + slack)) {
                /* the device's own setpoint may lie outside min..max, but not anywhere: a wrong word order does */
                p->valid_min = fmin(p->min - slack, p->max + slack);
                p->valid_max = fmax(p->min - slack, p->max + slack);
        }
        if (p->table == POINT_TABLE_COIL || p->type == POINT_BIT || p->type == POINT_STRING)
                bad(r->b, r->at, "access: a coil, a bit or a string cannot be written (function code 16 only)");
        else if (p->table != POINT_TABLE_HOLDING && p->table != POINT_TABLE_LOG) /* a log: what replay would command */
                bad(r->b, r->at, "access: only holding registers can be written, not %s", table_names[p->table]);
        else if (isnan(p->min) || isnan(p->max))
                bad(r->b, r->at, "access: a writable number needs both min and max");
        else if (p->min <= p->max && isnan(codec_quantise(p, p->min)))
                bad(r->b, r->at, "no value of the register lies in min..max");
        else if (p->min <= p->max) {
                uint16_t regs[4];
                double q;
                if (p->type <= POINT_UINT64 &&
                    (codec_encode(p, codec_quantise(p, p->min), regs, &q) != 0 ||
                     fabs(codec_quantise(p, p->min) - p->min) > point_resolution(p) * 1.001 ||
                     fabs(codec_quantise(p, p->max) - p->max) > point_resolution(p) * 1.001))
                        bad(r->b, r->at, "min..max does not fit %s with this scale and offset",
                            point_type_str(p->type));
        }
}

static void body(struct reading *r)
{
        struct map *m = r->map;
        if (!grow(r->b, (void **)&m->row, m->n, &m->cap, sizeof(m->row[0])))
                return;
        size_t before = site_errors_count(r->b->errors);
        struct map_row *row = &m->row[m->n++];
        memset(row, 0, sizeof(*row));
        row->at = r->at;
        struct point *p = &row->p;
        p->device = p->equipment = p->zone = -1;
        p->line = r->at.line;
        p->file = r->at.file;

        if (r->ncell > r->ncolumn) { /* a decimal comma: which cell belongs to which column is not known */
                bad(r->b, r->at, "%zu cell%s, the header has %zu column%s", r->ncell, PLURAL_S(r->ncell), r->ncolumn,
                    PLURAL_S(r->ncolumn));
                row->miscounted = true;
                if (r->column[0] == C_NAME)
                        (void)parse_copy(row->name, sizeof(row->name), r->cell[0]);
                return;
        }
        text_cell(r, C_NAME, row->name, sizeof(row->name));
        if (row->name[0] == '\0')
                bad(r->b, r->at, "name: missing");
        else if (!name_ok(row->name, !r->is_profile))
                bad(r->b, r->at, "name: '%s' may hold letters, digits and _ . -%s", row->name,
                    r->is_profile ? " (the path comes from the device)" : ", parts joined by /");
        text_cell(r, C_DEVICE, row->device, sizeof(row->device));
        if (r->is_profile && row->device[0] != '\0')
                bad(r->b, r->at, "device: a profile's rows belong to whichever device uses it");
        text_cell(r, C_EQUIPMENT, row->equipment, sizeof(row->equipment));
        text_cell(r, C_ZONE, row->zone, sizeof(row->zone));
        text_cell(r, C_BRICK, p->brick, sizeof(p->brick));
        text_cell(r, C_INTERLOCK, p->interlock, sizeof(p->interlock));
        char hint[128];
        if (role_from_brick(p->brick, EQ_NONE) < 0)
                bad(r->b, r->at, "brick: unknown class '%s'%s", p->brick, suggest(p->brick, brick_name, NULL, hint));
        wire_cells(r, row);
        reading_cells(r, p);
        write_cells(r, row);
        row->ok = site_errors_count(r->b->errors) == before;
}

static void on_row(void *ctx, int line, char *const *cell, size_t n)
{
        struct reading *r = ctx;
        r->cell = cell;
        r->ncell = n;
        r->at = (struct pos){.file = r->file, .line = line};
        if (r->b->rc != 0)
                return;
        if (!r->have_header)
                header(r);
        else
                body(r);
}

void map_read(struct builder *b, const char *path, struct pos at, bool is_profile, struct map *ret)
{
        struct reading r = {.b = b, .map = ret, .is_profile = is_profile};
        char *text = NULL;
        size_t len = 0;
        r.file = read_file(b, path, at, &text, &len);
        if (r.file < 0)
                return;
        int line = 0;
        const char *why = "";
        int rc = csv_read(text, len, on_row, &r, &line, &why);
        if (rc == -EINVAL)
                bad(b, (struct pos){.file = r.file, .line = line}, "%s", why);
        else if (rc != 0)
                b->rc = rc;
        else if (!r.have_header)
                bad(b, (struct pos){.file = r.file}, "no header row");
        free(text);
}

void map_free(struct map *m)
{
        free(m->row);
        *m = (struct map){0};
}
