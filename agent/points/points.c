/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Rows of point maps → points of the site: device, equipment, zone, role, wire address. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/parse.h"
#include "agent/points/site_internal.h"

/* Address as written in its style → 0-based wire address. -EINVAL: not such a number, outside the style or the table.
 */
static int wire_address(const char *text, enum address_style style, enum point_table table, uint16_t *ret)
{
        static const int leading[] = {
            [POINT_TABLE_COIL] = 0, [POINT_TABLE_DISCRETE] = 1, [POINT_TABLE_HOLDING] = 4, [POINT_TABLE_INPUT] = 3};
        int64_t v, base = 0, first = 0, last = 65535;
        if (style == ADDRESS_ONE_BASED)
                first = 1, last = 65536, base = 1;
        if (style == ADDRESS_MODICON5)
                base = leading[table] * 10000 + 1, first = base, last = base + 9998;
        if (style == ADDRESS_MODICON6)
                base = leading[table] * 100000 + 1, first = base, last = base + 65535;
        if (parse_int64(text, first, last, &v) != 0)
                return -EINVAL;
        *ret = (uint16_t)(v - base);
        return 0;
}

static const char *const style_forms[] = {
    [ADDRESS_WIRE] = "wire: 0 to 65535",
    [ADDRESS_ONE_BASED] = "one_based: 1 to 65536",
    [ADDRESS_MODICON5] = "modicon5: 00001 coil, 10001 discrete, 30001 input, 40001 holding, to …9999",
    [ADDRESS_MODICON6] = "modicon6: 000001 coil, 100001 discrete, 300001 input, 400001 holding, to …65536",
};

static void set_address(struct builder *b, const struct map_row *row, struct point *p)
{
        const struct device *d = &b->s->device[p->device];
        enum address_style style = row->style != ADDRESS_UNSET ? row->style : b->device_more[p->device].style;
        if (!row->has_unit_id)
                p->unit_id = d->unit_id;
        if (wire_address(row->address, style, p->table, &p->address) != 0) {
                bad(b, row->at, "address: '%s' is outside its style (%s)", row->address, style_forms[style]);
                return;
        }
        if ((size_t)p->address + point_nregs(p) > 65536)
                bad(b, row->at, "address: %s with %zu registers runs past the last register", row->address,
                    point_nregs(p));
}

/* Device, equipment and zone are known: the rest follows. */
static void add_point(struct builder *b, const struct map_row *row, const struct point *proto)
{
        struct site *s = b->s;
        if (!grow(b, (void **)&s->point, s->npoint, &b->point_cap, sizeof(s->point[0])) ||
            !grow(b, (void **)&b->point_at, s->npoint, &b->point_at_cap, sizeof(b->point_at[0])))
                return;
        struct point *p = &s->point[s->npoint];
        *p = *proto;
        b->point_at[s->npoint++] = row->at;

        bool modbus = p->table <= POINT_TABLE_INPUT;
        if (p->table == POINT_TABLE_LOG && p->device >= 0)
                bad(b, row->at, "device: a log column has no device");
        else if (p->table != POINT_TABLE_LOG && p->device < 0)
                bad(b, row->at, "device: missing");
        else if (p->device >= 0 && modbus != (s->device[p->device].protocol != DEVICE_MQTT))
                bad(b, row->at, "table: device '%s' does not speak %s", s->device[p->device].name,
                    modbus ? "Modbus" : "MQTT");
        else if (modbus)
                set_address(b, row, p);
        if (p->equipment >= 0 && p->zone < 0)
                p->zone = s->equipment[p->equipment].zone;
        int role = role_from_brick(p->brick, p->equipment >= 0 ? s->equipment[p->equipment].cls : EQ_NONE);
        p->role = role >= 0 ? (enum role)role : ROLE_NONE;
        if (!modbus && p->key[0] == '\0') {
                const char *slash = strrchr(p->name, '/');
                if (parse_copy(p->key, sizeof(p->key), slash != NULL ? slash + 1 : p->name) != 0)
                        bad(b, row->at, "key: longer than %zu characters", sizeof(p->key) - 1);
        }
        if (!row->has_tol) /* half a count, or what a float32 on the wire cannot tell apart */
                p->tol = point_resolution(p) > 0 ? 0.5 * point_resolution(p) : 1e-4;
}

/* A wrong row is told once: who refers to its point is not told that there is none. name: "" = cannot be known. */
static void leave_out(struct builder *b, const char *name)
{
        if (name[0] == '\0')
                b->left_out_unnamed = true;
        else if (grow(b, (void **)&b->left_out, b->nleft_out, &b->left_out_cap, sizeof(b->left_out[0])))
                (void)snprintf(b->left_out[b->nleft_out++], sizeof(b->left_out[0]), "%s", name);
}

/* Named equipment and zone of a row; "-" = none. False after an error. */
static bool set_place(struct builder *b, const struct map_row *row, const char *equipment, struct point *p)
{
        char hint[128];
        size_t before = site_errors_count(b->errors);
        if (equipment[0] != '\0' && strcmp(equipment, "-") != 0) {
                p->equipment = find_name(equipment, equipment_name, b->s);
                if (p->equipment < 0)
                        bad(b, row->at, "equipment: '%s' is not in the site file%s", equipment,
                            suggest(equipment, equipment_name, b->s, hint));
        }
        if (row->zone[0] != '\0') {
                p->zone = find_name(row->zone, zone_name, b->s);
                if (p->zone < 0)
                        bad(b, row->at, "zone: '%s' is not in the site file%s", row->zone,
                            suggest(row->zone, zone_name, b->s, hint));
        }
        return site_errors_count(b->errors) == before;
}

void points_from_profile(struct builder *b, size_t device, const struct profile *prof)
{
        struct site *s = b->s;
        const struct device_more *more = &b->device_more[device];
        for (size_t i = 0; i < prof->map.n && b->rc == 0; i++) {
                const struct map_row *row = &prof->map.row[i];
                struct point p = row->p;
                p.device = (int)device;
                if (row->miscounted ||
                    !set_place(b, row, row->equipment[0] != '\0' ? row->equipment : more->equipment, &p)) {
                        leave_out(b, "");
                        continue;
                }
                int zone = p.zone >= 0 ? p.zone : p.equipment >= 0 ? s->equipment[p.equipment].zone : -1;
                int n =
                    snprintf(p.name, sizeof(p.name), "%s/%s/%s/%s", s->name, zone >= 0 ? s->zone[zone].name : "plant",
                             p.equipment >= 0 ? s->equipment[p.equipment].name : s->device[device].name, row->name);
                if (n < 0 || (size_t)n >= sizeof(p.name))
                        bad(b, more->at, "device '%s': the point name %s… is longer than %d characters",
                            s->device[device].name, p.name, POINT_NAME_MAX - 1);
                else if (!row->ok)
                        leave_out(b, p.name);
                else
                        add_point(b, row, &p);
        }
}

void points_from_map(struct builder *b, const struct map *m)
{
        char hint[128];
        for (size_t i = 0; i < m->n && b->rc == 0; i++) {
                const struct map_row *row = &m->row[i];
                struct point p = row->p;
                if (row->miscounted) {
                        leave_out(b, row->name);
                        continue;
                }
                memcpy(p.name, row->name, sizeof(p.name));
                if (row->device[0] != '\0') {
                        p.device = find_name(row->device, device_name, b->s);
                        if (p.device < 0) {
                                bad(b, row->at, "device: '%s' is not in the site file%s", row->device,
                                    suggest(row->device, device_name, b->s, hint));
                                leave_out(b, row->name);
                                continue;
                        }
                }
                /* site/zone/equipment/point: the third part names the equipment unless the cell does. */
                char third[POINT_NAME_MAX] = "";
                const char *a = strchr(row->name, '/'), *c = a != NULL ? strchr(a + 1, '/') : NULL;
                const char *e = c != NULL ? strchr(c + 1, '/') : NULL;
                if (e != NULL) {
                        memcpy(third, c + 1, (size_t)(e - c - 1));
                        third[e - c - 1] = '\0';
                }
                if (set_place(b, row, row->equipment[0] != '\0' ? row->equipment : third, &p) && row->ok)
                        add_point(b, row, &p);
                else
                        leave_out(b, row->name);
        }
}
