/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int find(const struct layout_var *v, size_t n, int kind, int equipment)
{
        for (size_t i = 0; i < n; i++)
                if (v[i].kind == kind && v[i].equipment == equipment)
                        return (int)i;
        return -1;
}

int layout_find_u(const struct layout *l, enum u_kind kind, int equipment)
{
        return find(l->u, l->nu, (int)kind, equipment);
}

int layout_find_y(const struct layout *l, enum y_kind kind, int equipment)
{
        return find(l->y, l->ny, (int)kind, equipment);
}

int layout_find_d(const struct layout *l, enum d_kind kind, int equipment)
{
        return find(l->d, l->nd, (int)kind, equipment);
}

static void add(struct layout_var *v, size_t *n, const struct site *s, int point, int kind)
{
        v[*n].point = point;
        v[*n].kind = kind;
        v[*n].equipment = s->point[point].equipment;
        v[*n].zone = s->point[point].zone;
        (*n)++;
}

static bool commanded(const struct site *s, int equipment, enum role role)
{
        int p = site_point_of(s, equipment, role);
        return p >= 0 && s->point[p].writable;
}

static void add_u(struct layout *l)
{
        const struct site *s = l->site;
        static const struct {
                enum role role;
                enum u_kind kind;
        } water[] = {{ROLE_CHWST_SP, U_CHWST}, {ROLE_CWST_SP, U_CWST}, {ROLE_CHILLER_ENABLE, U_CHILLER}};
        for (size_t e = 0; e < s->nequipment; e++) {
                if (s->equipment[e].cls != EQ_CRAH)
                        continue;
                if (commanded(s, (int)e, ROLE_SAT_SP))
                        add(l->u, &l->nu, s, site_point_of(s, (int)e, ROLE_SAT_SP), U_SAT);
                if (commanded(s, (int)e, ROLE_FAN_CMD))
                        add(l->u, &l->nu, s, site_point_of(s, (int)e, ROLE_FAN_CMD), U_FAN);
        }
        for (size_t k = 0; k < sizeof(water) / sizeof(water[0]); k++)
                for (size_t i = 0; i < s->npoint; i++)
                        if (s->point[i].role == water[k].role && s->point[i].writable)
                                add(l->u, &l->nu, s, (int)i, (int)water[k].kind);
}

static void add_y(struct layout *l)
{
        const struct site *s = l->site;
        for (size_t i = 0; i < s->npoint; i++)
                if (s->point[i].role == ROLE_INLET_TEMP && s->point[i].readable)
                        add(l->y, &l->ny, s, (int)i, Y_INLET);
        for (size_t i = 0; i < s->npoint; i++)
                if (s->point[i].role == ROLE_SAT && s->point[i].readable)
                        add(l->y, &l->ny, s, (int)i, Y_SAT);
        for (size_t i = 0; i < s->npoint; i++) /* without our setpoint the valve is another controller's move */
                if (s->point[i].role == ROLE_VALVE && s->point[i].readable &&
                    commanded(s, s->point[i].equipment, ROLE_SAT_SP))
                        add(l->y, &l->ny, s, (int)i, Y_VALVE);
}

static void add_zone_powers(struct layout *l)
{
        const struct site *s = l->site;
        for (size_t z = 0; z < s->nzone; z++) {
                bool any = false;
                for (size_t i = 0; i < s->npoint; i++)
                        any |= s->point[i].role == ROLE_RACK_POWER && s->point[i].zone == (int)z;
                if (any)
                        l->d[l->nd++] =
                            (struct layout_var){.point = -1, .kind = D_ZONE_POWER, .equipment = -1, .zone = (int)z};
        }
}

/* Does point i belong to d with this kind? */
static bool is_d(const struct site *s, size_t i, enum d_kind kind, bool header)
{
        const struct point *p = &s->point[i];
        enum equipment_class cls = p->equipment >= 0 ? s->equipment[p->equipment].cls : EQ_NONE;
        if (!p->readable)
                return false;
        switch (kind) {
        case D_RACK_POWER:
                return p->role == ROLE_RACK_POWER;
        case D_RAT:
                return p->role == ROLE_RAT;
        case D_MAT:
                return p->role == ROLE_MAT;
        case D_DAMPER:
                return p->role == ROLE_DAMPER;
        case D_HEAT_VALVE:
                return p->role == ROLE_HEAT_VALVE;
        case D_FAN: /* the feedback, or else what the other controller asks for */
                return (p->role == ROLE_FAN ||
                        (p->role == ROLE_FAN_CMD && site_point_of(s, p->equipment, ROLE_FAN) < 0)) &&
                       !commanded(s, p->equipment, ROLE_FAN_CMD);
        case D_VALVE:
                return p->role == ROLE_VALVE && !commanded(s, p->equipment, ROLE_SAT_SP);
        case D_SAT_SP:
                return p->role == ROLE_SAT_SP && !commanded(s, p->equipment, ROLE_SAT_SP);
        case D_CHW_TEMP: /* the common header when there is one, else each chiller's */
                return p->role == ROLE_CHWST && cls == (header ? EQ_PLANT : EQ_CHILLER);
        case D_CW_TEMP: /* the same, where it leaves the towers; for the planner's energy model alone */
                return p->role == ROLE_CWST && (header ? cls == EQ_PLANT || cls == EQ_TOWER : cls == EQ_CHILLER);
        case D_WETBULB:
                return p->role == ROLE_WETBULB;
        case D_OAT:
                return p->role == ROLE_OAT;
        case D_ZONE_POWER:
                break;
        }
        return false;
}

/* This water is measured where it is common to the chillers. */
static bool measured_once(const struct site *s, enum d_kind kind)
{
        bool any = false;
        for (size_t i = 0; i < s->npoint; i++)
                any = any || is_d(s, i, kind, true);
        return any;
}

static void add_d(struct layout *l)
{
        static const enum d_kind order[] = {D_RACK_POWER, D_ZONE_POWER, D_RAT,   D_MAT,    D_DAMPER,
                                            D_HEAT_VALVE, D_FAN,        D_VALVE, D_SAT_SP, D_CHW_TEMP,
                                            D_CW_TEMP,    D_WETBULB,    D_OAT};
        const struct site *s = l->site;
        for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
                const bool header = measured_once(s, order[k]);
                if (order[k] == D_ZONE_POWER)
                        add_zone_powers(l);
                for (size_t i = 0; i < s->npoint; i++)
                        if (is_d(s, i, order[k], header))
                                add(l->d, &l->nd, s, (int)i, (int)order[k]);
        }
}

int layout_create(const struct site *site, struct layout **ret)
{
        struct layout *l = calloc(1, sizeof(*l));
        if (l == NULL)
                return -ENOMEM;
        l->site = site;
        l->step_s = (double)site->fast_step_ms / 1e3;
        l->u = calloc(site->npoint + 1, sizeof(l->u[0]));
        l->y = calloc(site->npoint + 1, sizeof(l->y[0]));
        l->d = calloc(site->npoint + site->nzone + 1, sizeof(l->d[0]));
        if (l->u == NULL || l->y == NULL || l->d == NULL) {
                layout_free(l);
                return -ENOMEM;
        }
        add_u(l);
        add_y(l);
        add_d(l);
        *ret = l;
        return 0;
}

struct layout *layout_free(struct layout *l)
{
        if (l != NULL) {
                free(l->u);
                free(l->y);
                free(l->d);
        }
        free(l);
        return NULL;
}
