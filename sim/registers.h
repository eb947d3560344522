/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What the simulated devices look like on the wire: one table per device model, instances made from the plant's spec.
 * The same table answers requests (modbusd) and is printed as point maps (print_site), so they cannot disagree.
 * Encodes on its own; shares no code with the agent's codec, which is tested against it. No I/O, no clock.
 *
 * Setpoint registers show the plant's command structs: while a device is local its PLC keeps them at the setpoints in
 * force, so taking over is bumpless and a write has no effect until the device follows its supervisor.
 */
#ifndef COOLPLANE_SIM_REGISTERS_H
#define COOLPLANE_SIM_REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/plant.h"

/* What a register shows. _CMD ones are written. */
enum quantity {
        Q_CRAH_SAT,
        Q_CRAH_RAT,
        Q_CRAH_FAN,
        Q_CRAH_VALVE,
        Q_CRAH_POWER,
        Q_CRAH_DP,
        Q_CRAH_CHW_IN,
        Q_CRAH_CHW_OUT,
        Q_CRAH_AIRFLOW,
        Q_CRAH_RUNNING,
        Q_CRAH_ALARM,
        Q_CRAH_SAT_CMD,
        Q_CRAH_FAN_CMD,
        Q_RACK_INLET,
        Q_RACK_INLET_LOW,
        Q_RACK_OUTLET,
        Q_RACK_POWER, /* MQTT only */
        Q_ROOM_DEWPOINT,
        Q_CH_CHWST,
        Q_CH_CHWRT,
        Q_CH_CW_IN,
        Q_CH_CW_OUT,
        Q_CH_POWER,
        Q_CH_PLR,
        Q_CH_FLOW,
        Q_CH_STARTS,
        Q_CH_HOURS,
        Q_CH_RUNNING,
        Q_CH_ALARM,
        Q_CH_ENABLE_CMD,
        Q_W_CHWST,
        Q_W_CHWRT,
        Q_W_CWST,
        Q_W_CWRT,
        Q_W_CHW_FLOW,
        Q_W_CW_FLOW,
        Q_W_CHW_PUMP,
        Q_W_CW_PUMP,
        Q_W_TOWER_POWER,
        Q_W_TOWER_FAN,
        Q_W_ECON,
        Q_W_CHWST_CMD,
        Q_W_CWST_CMD,
        Q_OAT, /* MQTT only, as the next two */
        Q_WETBULB,
        Q_OA_RH,
        Q_HEARTBEAT_CMD,
        Q_HEARTBEAT_ECHO,
        Q_REMOTE_CMD,
        Q_REMOTE_STATUS,
        Q_WATCHDOG,
};

enum reg_type { REG_INT16, REG_UINT16, REG_INT32, REG_UINT32, REG_FLOAT32 };
enum reg_order { REG_AB, REG_BA, REG_ABCD, REG_CDAB, REG_BADC, REG_DCBA };
enum reg_unit {
        REG_NONE,
        REG_DEGC,
        REG_DEGF,
        REG_W,
        REG_KW,
        REG_PA,
        REG_M3S,
        REG_LPS,
        REG_RATIO,
        REG_PERCENT,
        REG_H,
        REG_S
};

struct reg {
        const char *row; /* name of the point within its equipment */
        const char *brick;
        enum quantity q;
        bool holding; /* false: input register */
        uint16_t address;
        enum reg_type type;
        enum reg_order order;
        double scale; /* engineering value = raw · scale */
        enum reg_unit unit;
        const char *equipment; /* NULL: the device's */
        size_t offset;         /* added to the device's index: rack of a sensor hub */
};

enum reg_model { MODEL_CRAH_A, MODEL_CRAH_B, MODEL_CRAH_C, MODEL_CHILLER_A, MODEL_CHILLER_B, MODEL_HUB, MODEL_PLANT };

/* How a device's registers misbehave (registers_fault). */
struct reg_fault {
        int illegal;                            /* register that answers 02; −1 none */
        int shift;                              /* the map stands so many addresses later than printed */
        bool reordered[2];                      /* values of one, of two registers … */
        enum reg_order order[2];                /* … come in this byte order instead */
        uint16_t (*image)[2];                   /* reads answer from here; [nreg], NULL = from the plant */
        bool first_word, ignore;                /* a write changes its first register only; setpoints not at all */
        bool inert;                             /* heartbeats may stop, it stays remote */
        int clamp, master;                      /* register with a narrower range, with a second writer; −1 none */
        double clamp_min, clamp_max, master_si; /* SI */
};

struct reg_device {
        char name[32];
        enum reg_model model;
        const char *profile; /* NULL: its rows stand in points.csv */
        uint16_t port;       /* index of the TCP port; several units behind one port are a gateway */
        uint8_t unit_id;
        bool holes_readable; /* reserved registers read as 0; otherwise they are illegal addresses */
        bool supervised;
        enum plant_dev dev;
        size_t index, zone;
        const struct reg *reg; /* sorted by (holding, address) */
        size_t nreg;
        /* state */
        uint16_t heartbeat;
        bool remote_cmd;
        uint64_t vain_writes; /* of setpoints, by registers_write: refused, or something else reads back */
        struct reg_fault fault;
};

struct registers {
        struct plant *plant; /* NULL when only printed; borrowed */
        struct plant_spec spec;
        struct reg_device *device;
        size_t ndevice, nport;
        struct reg **owned; /* generated tables */
        size_t nowned;
};

/* Hard range of a write in SI: what the device itself accepts, and what the printed site allows. */
struct reg_write {
        double device_min, device_max, min, max, max_step, fallback;
        int safe_dir;
        const char *min_interval;
};
/* False for quantities that cannot be written. With an economiser condenser water may be colder. */
bool reg_write_of(enum quantity q, const struct plant_spec *spec, struct reg_write *ret);

int registers_create(const struct plant_spec *spec, struct plant *p, struct registers **ret);
struct registers *registers_free(struct registers *r);
int registers_find(const struct registers *r, const char *device); /* index, −1 */
int registers_lookup(const struct registers *r, uint16_t port, uint8_t unit_id);

/* 0 or a Modbus exception code (1 function, 2 address, 3 value). A write is all or nothing. */
int registers_read(struct registers *r, size_t device, bool holding, unsigned address, unsigned count,
                   uint16_t *ret_regs);
int registers_write(struct registers *r, size_t device, unsigned address, unsigned count, const uint16_t *regs);
/* The same by another master: vain_writes counts the supervisor's only. */
int registers_put(struct registers *r, size_t device, unsigned address, unsigned count, const uint16_t *regs);

/*
 * Faults of a device's registers by name; DEV as the site names it, ADDR a holding register, LO HI V in SI:
 *
 *   illegal:DEV:ADDR (answers 02)  exception 02 of M3
 *   partial:DEV (only the first register of a write is taken)  clamp:DEV:ADDR:LO:HI  ignore:DEV (setpoints)  M5 M6
 *   master:DEV:ADDR:V (someone else writes it at every registers_step)  reboot:DEV                           M7 M8
 *   order:DEV:ABCD|CDAB|BADC|DCBA|AB|BA  shift:DEV:N  frozen:DEV (reads come from a cache)                  S7 S8 S9
 *   inert:DEV (stays remote when heartbeats stop)                                                           M9
 *   heal:DEV ends them
 *
 * 0; -ENOENT: the name is none of these; -EINVAL: no such device, register or value; -ENOMEM.
 */
int registers_fault(struct registers *r, const char *name);
bool registers_fault_named(const char *name); /* one of these, whatever follows */
void registers_fault_clear(struct reg_device *d);
/* Plant time has moved on: second masters write, inert watchdogs are kept quiet. */
void registers_step(struct registers *r);

/* SI value a register shows now, before encoding. */
double reg_value(const struct registers *r, const struct reg_device *d, const struct reg *g);
unsigned reg_count(const struct reg *g);
double reg_unit_from_si(enum reg_unit u, double v);
double reg_unit_to_si(enum reg_unit u, double v);
void reg_encode(const struct reg *g, double si,
                uint16_t *ret_regs); /* NaN, integers: infinite too → the type's sentinel */
double reg_decode(const struct reg *g, const uint16_t *regs);

#endif
