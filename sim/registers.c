/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "sim/registers.h"

#include <assert.h>
#include <math.h>
#include <string.h>

bool reg_write_of(enum quantity q, const struct plant_spec *spec, struct reg_write *ret)
{
        const double cwst_min_c = spec->economiser ? 6 : 14;

        switch (q) {
        case Q_CRAH_SAT_CMD:
                *ret = (struct reg_write){12, 30, 16, 26, 0.5, 18, -1, "30s"};
                return true;
        case Q_CRAH_FAN_CMD:
                *ret = (struct reg_write){0.3, 1, 0.35, 1, 0.05, 0.9, 1, "30s"};
                return true;
        case Q_CH_ENABLE_CMD:
                *ret = (struct reg_write){0, 1, 0, 1, (double)NAN, 1, 1, "5m"};
                return true;
        case Q_W_CHWST_CMD:
                *ret = (struct reg_write){5, 20, 6, 18, 0.2, 7, -1, "30s"};
                return true;
        case Q_W_CWST_CMD:
                *ret = (struct reg_write){cwst_min_c, 32, cwst_min_c, 32, 0.5, 24, 0, "30s"};
                return true;
        case Q_HEARTBEAT_CMD:
                *ret = (struct reg_write){0, 65535, 0, 65535, (double)NAN, (double)NAN, 0, NULL};
                return true;
        case Q_REMOTE_CMD:
                *ret = (struct reg_write){0, 1, 0, 1, (double)NAN, 0, 0, NULL};
                return true;
        default:
                return false;
        }
}

/* ---- encoding ---- */

unsigned reg_count(const struct reg *g)
{
        return g->type == REG_INT16 || g->type == REG_UINT16 ? 1 : 2;
}

double reg_unit_from_si(enum reg_unit u, double v)
{
        switch (u) {
        case REG_DEGF:
                return v * 1.8 + 32;
        case REG_KW:
                return v / 1000;
        case REG_LPS:
                return v * 1000;
        case REG_PERCENT:
                return v * 100;
        default: /* hours stay hours, see reg_value */
                return v;
        }
}

double reg_unit_to_si(enum reg_unit u, double v)
{
        switch (u) {
        case REG_DEGF:
                return (v - 32) / 1.8;
        case REG_KW:
                return v * 1000;
        case REG_LPS:
                return v / 1000;
        case REG_PERCENT:
                return v / 100;
        default:
                return v;
        }
}

/* byte k of the wire (0 = first sent) holds value byte order[k] (0 = most significant) */
static void put_bytes(enum reg_order order, uint32_t value, uint16_t *regs)
{
        static const uint8_t map[][4] = {
            [REG_ABCD] = {0, 1, 2, 3}, [REG_CDAB] = {2, 3, 0, 1}, [REG_BADC] = {1, 0, 3, 2}, [REG_DCBA] = {3, 2, 1, 0}};
        uint8_t wire[4];
        assert(order >= REG_ABCD);
        for (unsigned k = 0; k < 4; k++)
                wire[k] = (uint8_t)(value >> (8 * (3 - map[order][k])));
        regs[0] = (uint16_t)((wire[0] << 8) | wire[1]);
        regs[1] = (uint16_t)((wire[2] << 8) | wire[3]);
}

static uint32_t get_bytes(enum reg_order order, const uint16_t *regs)
{
        /* every 32-bit order is its own inverse */
        uint16_t t[2];
        put_bytes(order, ((uint32_t)regs[0] << 16) | regs[1], t);
        return ((uint32_t)t[0] << 16) | t[1];
}

static uint16_t swap16(enum reg_order order, uint16_t v)
{
        return order == REG_BA ? (uint16_t)(((unsigned)v << 8) | ((unsigned)v >> 8)) : v;
}

void reg_encode(const struct reg *g, double si, uint16_t *ret_regs)
{
        double raw = reg_unit_from_si(g->unit, si) / g->scale;
        bool bad = !isfinite(raw);

        switch (g->type) {
        case REG_INT16: {
                double r = bad ? -32768 : fmax(-32767, fmin(32767, round(raw)));
                ret_regs[0] = swap16(g->order, (uint16_t)(int16_t)r);
                break;
        }
        case REG_UINT16: {
                double r = bad ? 65535 : fmax(0, fmin(65535, round(raw)));
                ret_regs[0] = swap16(g->order, (uint16_t)r);
                break;
        }
        case REG_INT32: {
                double r = bad ? -2147483648.0 : fmax(-2147483647.0, fmin(2147483647.0, round(raw)));
                put_bytes(g->order, (uint32_t)(int32_t)r, ret_regs);
                break;
        }
        case REG_UINT32: {
                double r = bad ? 4294967295.0 : fmax(0, fmin(4294967294.0, round(raw)));
                put_bytes(g->order, (uint32_t)r, ret_regs);
                break;
        }
        case REG_FLOAT32: {
                float f = isnan(raw) ? NAN : (float)raw; /* infinite as it is */
                uint32_t u;
                memcpy(&u, &f, sizeof(u));
                put_bytes(g->order, u, ret_regs);
                break;
        }
        }
}

double reg_decode(const struct reg *g, const uint16_t *regs)
{
        double raw = 0;

        switch (g->type) {
        case REG_INT16:
                raw = (int16_t)swap16(g->order, regs[0]);
                break;
        case REG_UINT16:
                raw = swap16(g->order, regs[0]);
                break;
        case REG_INT32:
                raw = (int32_t)get_bytes(g->order, regs);
                break;
        case REG_UINT32:
                raw = get_bytes(g->order, regs);
                break;
        case REG_FLOAT32: {
                uint32_t u = get_bytes(g->order, regs);
                float f;
                memcpy(&f, &u, sizeof(f));
                raw = (double)f;
                break;
        }
        }
        return reg_unit_to_si(g->unit, raw * g->scale);
}

/* ---- values ---- */

static double crah_value(const struct registers *r, enum quantity q, size_t i)
{
        struct plant_crah_meas m;
        plant_crah_meas(r->plant, i, &m);
        switch (q) {
        case Q_CRAH_SAT:
                return m.sat_c;
        case Q_CRAH_RAT:
                return m.rat_c;
        case Q_CRAH_FAN:
                return m.fan_ratio;
        case Q_CRAH_VALVE:
                return m.valve_ratio;
        case Q_CRAH_POWER:
                return m.power_w;
        case Q_CRAH_DP:
                return m.dp_pa;
        case Q_CRAH_CHW_IN:
                return m.chw_in_c;
        case Q_CRAH_CHW_OUT:
                return m.chw_out_c;
        case Q_CRAH_AIRFLOW:
                return m.airflow_m3s;
        case Q_CRAH_RUNNING:
                return m.running;
        case Q_CRAH_ALARM:
                return m.alarm;
        case Q_CRAH_SAT_CMD:
                return plant_crah_cmd(r->plant, i)->sat_sp_c;
        default:
                return plant_crah_cmd(r->plant, i)->fan_ratio;
        }
}

static double chiller_value(const struct registers *r, enum quantity q, size_t i)
{
        struct plant_chiller_meas m;
        plant_chiller_meas(r->plant, i, &m);
        switch (q) {
        case Q_CH_CHWST:
                return m.chwst_c;
        case Q_CH_CHWRT:
                return m.chwrt_c;
        case Q_CH_CW_IN:
                return m.cw_in_c;
        case Q_CH_CW_OUT:
                return m.cw_out_c;
        case Q_CH_POWER:
                return m.power_w;
        case Q_CH_PLR:
                return m.plr;
        case Q_CH_FLOW:
                return m.chw_flow_m3s;
        case Q_CH_STARTS:
                return m.starts;
        case Q_CH_HOURS:
                return m.hours;
        case Q_CH_RUNNING:
                return m.running;
        case Q_CH_ALARM:
                return m.alarm;
        default:
                return plant_chiller_cmd(r->plant, i)->enable;
        }
}

static double water_value(const struct registers *r, enum quantity q)
{
        struct plant_water_meas m;
        plant_water_meas(r->plant, &m);
        switch (q) {
        case Q_W_CHWST:
                return m.chwst_c;
        case Q_W_CHWRT:
                return m.chwrt_c;
        case Q_W_CWST:
                return m.cwst_c;
        case Q_W_CWRT:
                return m.cwrt_c;
        case Q_W_CHW_FLOW:
                return m.chw_flow_m3s;
        case Q_W_CW_FLOW:
                return m.cw_flow_m3s;
        case Q_W_CHW_PUMP:
                return m.chw_pump_w;
        case Q_W_CW_PUMP:
                return m.cw_pump_w;
        case Q_W_TOWER_POWER:
                return m.tower_w;
        case Q_W_TOWER_FAN:
                return m.tower_fan_ratio;
        case Q_W_ECON:
                return m.econ_ratio > 0;
        case Q_W_CHWST_CMD:
                return plant_water_cmd(r->plant)->chwst_sp_c;
        default:
                return plant_water_cmd(r->plant)->cwst_sp_c;
        }
}

static double rack_value(const struct registers *r, enum quantity q, size_t i)
{
        struct plant_rack_meas m;
        plant_rack_meas(r->plant, i, &m);
        switch (q) {
        case Q_RACK_INLET:
                return m.inlet_c;
        case Q_RACK_INLET_LOW:
                return m.inlet_low_c;
        case Q_RACK_OUTLET:
                return m.outlet_c;
        default:
                return m.power_w;
        }
}

double reg_value(const struct registers *r, const struct reg_device *d, const struct reg *g)
{
        switch (g->q) {
        case Q_HEARTBEAT_CMD:
        case Q_HEARTBEAT_ECHO:
                return d->heartbeat;
        case Q_REMOTE_CMD:
                return d->remote_cmd;
        case Q_REMOTE_STATUS:
                return plant_is_remote(r->plant, d->dev, d->index);
        case Q_WATCHDOG:
                return PLANT_WATCHDOG_S;
        case Q_ROOM_DEWPOINT:
                return plant_dewpoint_c(r->plant, d->zone);
        default:
                break;
        }
        if (g->q <= Q_CRAH_FAN_CMD)
                return crah_value(r, g->q, d->index);
        if (g->q <= Q_RACK_POWER)
                return rack_value(r, g->q, d->index + g->offset);
        if (g->q <= Q_CH_ENABLE_CMD)
                return chiller_value(r, g->q, d->index);
        return water_value(r, g->q);
}

static void set_value(struct registers *r, struct reg_device *d, const struct reg *g, double v)
{
        switch (g->q) {
        case Q_CRAH_SAT_CMD:
                plant_crah_cmd(r->plant, d->index)->sat_sp_c = v;
                break;
        case Q_CRAH_FAN_CMD:
                plant_crah_cmd(r->plant, d->index)->fan_ratio = v;
                break;
        case Q_CH_ENABLE_CMD:
                plant_chiller_cmd(r->plant, d->index)->enable = v > 0.5;
                break;
        case Q_W_CHWST_CMD:
                plant_water_cmd(r->plant)->chwst_sp_c = v;
                break;
        case Q_W_CWST_CMD:
                plant_water_cmd(r->plant)->cwst_sp_c = v;
                break;
        case Q_HEARTBEAT_CMD:
                d->heartbeat = (uint16_t)v;
                plant_heartbeat(r->plant, d->dev, d->index, d->heartbeat);
                break;
        case Q_REMOTE_CMD:
                d->remote_cmd = v > 0.5;
                plant_remote_enable(r->plant, d->dev, d->index, d->remote_cmd);
                break;
        default:
                break;
        }
}

/* ---- requests ---- */

static const struct reg *reg_at(const struct reg_device *d, bool holding, unsigned address)
{
        for (size_t k = 0; k < d->nreg; k++) {
                const struct reg *g = &d->reg[k];
                if (g->holding == holding && address >= g->address && address < g->address + reg_count(g))
                        return g;
        }
        return NULL;
}

static bool table_end(const struct reg_device *d, bool holding, unsigned *ret_end)
{
        bool any = false;
        for (size_t k = 0; k < d->nreg; k++)
                if (d->reg[k].holding == holding) {
                        *ret_end = d->reg[k].address + reg_count(&d->reg[k]);
                        any = true;
                }
        return any;
}

/* g as the device serves it: a wrong byte order is a fault. */
static const struct reg *served(const struct reg_device *d, const struct reg *g, struct reg *tmp)
{
        size_t k = reg_count(g) - 1;

        if (!d->fault.reordered[k])
                return g;
        *tmp = *g;
        tmp->order = d->fault.order[k];
        return tmp;
}

int registers_read(struct registers *r, size_t device, bool holding, unsigned address, unsigned count,
                   uint16_t *ret_regs)
{
        const struct reg_device *d = &r->device[device];
        unsigned end;

        if (count < 1 || count > 125 || address + count > 65536)
                return 3;
        if ((int)address < d->fault.shift || !table_end(d, holding, &end))
                return 2;
        const unsigned from = (unsigned)((int)address - d->fault.shift);
        for (unsigned a = from; a < from + count;) {
                const struct reg *g = reg_at(d, holding, a);
                struct reg tmp;
                uint16_t w[2];
                if ((int)a == d->fault.illegal || (!g && (!d->holes_readable || a >= end)))
                        return 2;
                if (!g) {
                        ret_regs[a++ - from] = 0;
                        continue;
                }
                if (d->fault.image)
                        memcpy(w, d->fault.image[g - d->reg], sizeof(w));
                else
                        reg_encode(served(d, g, &tmp), reg_value(r, d, g), w);
                ret_regs[a - from] = w[a - g->address];
                a++;
        }
        return 0;
}

/* What the device makes of a value it has accepted. */
static void take(struct registers *r, struct reg_device *d, const struct reg *g, double v)
{
        const struct reg_fault *f = &d->fault;

        if (f->ignore && g->q != Q_HEARTBEAT_CMD && g->q != Q_REMOTE_CMD)
                return;
        if (f->clamp == g->address)
                v = fmax(f->clamp_min, fmin(f->clamp_max, v));
        set_value(r, d, g, v);
}

/* The first word is new, the other one stays. */
static double half_taken(const struct registers *r, const struct reg_device *d, const struct reg *g, uint16_t word)
{
        uint16_t w[2];

        reg_encode(g, reg_value(r, d, g), w);
        w[0] = word;
        return reg_decode(g, w);
}

static int write_all(struct registers *r, struct reg_device *d, unsigned address, unsigned count, const uint16_t *regs)
{
        struct reg_write w;

        if (count < 1 || count > 123 || address + count > 65536)
                return 3;
        if ((int)address < d->fault.shift)
                return 2;
        const unsigned from = (unsigned)((int)address - d->fault.shift);
        for (int apply = 0; apply < 2; apply++)
                for (unsigned a = from; a < from + count;) {
                        const struct reg *g = reg_at(d, true, a);
                        struct reg tmp;
                        if (!g || (int)a == d->fault.illegal || !reg_write_of(g->q, &r->spec, &w))
                                return 2;
                        if (a != g->address || a + reg_count(g) > from + count)
                                return 2; /* half a value */
                        double v = reg_decode(served(d, g, &tmp), regs + (a - from));
                        /* a register's own resolution must not make its bound unwritable */
                        if (!(v >= w.device_min - 1e-6 && v <= w.device_max + 1e-6))
                                return 3;
                        if (apply && d->fault.first_word) {
                                take(r, d, g, half_taken(r, d, served(d, g, &tmp), regs[0]));
                                return 0;
                        }
                        if (apply)
                                take(r, d, g, v);
                        a += reg_count(g);
                }
        return 0;
}

/* Whether the map prints a setpoint there. */
static bool at_setpoint(const struct registers *r, const struct reg_device *d, unsigned address)
{
        const struct reg *g = reg_at(d, true, address);
        struct reg_write w;

        return g && g->q != Q_HEARTBEAT_CMD && g->q != Q_REMOTE_CMD && reg_write_of(g->q, &r->spec, &w);
}

int registers_put(struct registers *r, size_t device, unsigned address, unsigned count, const uint16_t *regs)
{
        return write_all(r, &r->device[device], address, count, regs);
}

int registers_write(struct registers *r, size_t device, unsigned address, unsigned count, const uint16_t *regs)
{
        struct reg_device *d = &r->device[device];
        const int ex = registers_put(r, device, address, count, regs);
        uint16_t shows[123];

        if (at_setpoint(r, d, address))
                d->vain_writes += ex != 0 || registers_read(r, device, true, address, count, shows) != 0 ||
                                  memcmp(shows, regs, count * sizeof(*regs)) != 0;
        return ex;
}

int registers_find(const struct registers *r, const char *device)
{
        for (size_t i = 0; i < r->ndevice; i++)
                if (strcmp(r->device[i].name, device) == 0)
                        return (int)i;
        return -1;
}

int registers_lookup(const struct registers *r, uint16_t port, uint8_t unit_id)
{
        for (size_t i = 0; i < r->ndevice; i++)
                if (r->device[i].port == port && r->device[i].unit_id == unit_id)
                        return (int)i;
        return -1;
}
