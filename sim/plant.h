/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The reference plant: racks with server fans and VMs, CRAHs, chilled and condenser water, chillers, towers, weather,
 * instruments, and the PLC that runs it all when nobody else does. Test equipment: never linked into the agent, shares
 * no equations with the models that learn it. Virtual time; deterministic by seed; no allocation in a step; no I/O
 * but in the readers of files (plant_file.c, weather_file.c, …).
 *
 * Physics and sources: ARCHITECTURE.md, "The reference plant".
 */
#ifndef COOLPLANE_SIM_PLANT_H
#define COOLPLANE_SIM_PLANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/arrivals.h"
#include "sim/chiller_curves.h"
#include "sim/weather.h"
#include "sim/workload.h"

#define PLANT_CRAH_MAX 256
#define PLANT_RACK_MAX 2048
#define PLANT_CHILLER_MAX 16
#define PLANT_ROOM_MAX 64

struct plant;

/* What is built, SI. plant_spec_named fills it for tiny, hall and campus, plant_spec_load from a file. */
struct plant_spec {
        char name[32];
        size_t nroom, ncrah, nrack, nchiller; /* crah i is in room i·nroom/ncrah; racks alike */
        double rack_design_w;                 /* IT power of a full rack */
        double crah_airflow_m3s, crah_fan_w, crah_capacity_w;
        double chiller_capacity_w; /* at 7.2 °C leaving, 26.7 °C condenser water */
        const struct chiller_curves
            *curves; /* chiller i has set i mod ncurves; borrowed; ncurves 0 = the built-in ones */
        size_t ncurves;
        double containment; /* 0 = open, 1 = no recirculation */
        size_t hosts_per_rack;
        size_t vms;
        const struct arrivals *arrivals; /* VMs come and go, as many cores as those vms; borrowed; NULL: they stay */
        bool economiser; /* waterside: a plate heat exchanger precools the return water with tower water */
        double loop_volume_m3;
        uint64_t seed;
};
int plant_spec_named(const char *name, struct plant_spec *ret); /* -ENOENT */
/* A site file (plant_text.h says what is in it). *ret_curves, NULL when it names none, is the caller's to free after
 * the plant. -EINVAL with "file:line: reason" in reterr (256 bytes); -errno of opening the file. */
int plant_spec_load(const char *path, struct plant_spec *ret, struct chiller_curves **ret_curves, char *reterr);
/* Where the curves of a site (named, or a file) are read from: 1 and the path in ret (PLANT_PATH_BYTES); 0: it has
 * none of its own; -Exxx as plant_spec_load. */
#define PLANT_PATH_BYTES 1024
int plant_curves_path(const char *site, char *ret);

int plant_create(const struct plant_spec *spec, const struct weather *w, const struct workload *load, int64_t start_ms,
                 struct plant **ret); /* weather, load borrowed */
struct plant *plant_free(struct plant *p);
/* A second plant in the same state, true future included: what the yardstick's oracle looks ahead with. Weather, load
 * and curves stay borrowed. plant_copy needs a plant made from the same spec and allocates nothing. */
int plant_clone(const struct plant *p, struct plant **ret);
void plant_copy(struct plant *to, const struct plant *from);
const struct plant_spec *plant_spec(const struct plant *p);

/* Advances by dt, internally in steps of at most 5 s; of at most 30 s while what a supervisor asks for is in force,
 * nothing is broken, and nothing has started, stopped or run away for five minutes. Runs PLCs, hosts, physics. */
void plant_advance(struct plant *p, double dt_s);
int64_t plant_t_ms(const struct plant *p);

/* --- what a remote supervisor may command; obeyed only while its lease is alive -----------------------------------
 * A device is remote while it is enabled and its heartbeat counter changed within PLANT_WATCHDOG_S. While it is local
 * its PLC keeps the setpoints in force in the command structures (taking over is bumpless; writing has no effect); on
 * expiry it returns to its own. Values are clamped to the device's range, NaN is ignored. Minimum on 300 s and off 600
 * s, three starts an hour, never the last chiller: an order against these waits, and counts as a hard violation. */
enum plant_dev { PLANT_DEV_CRAH, PLANT_DEV_CHILLER, PLANT_DEV_PLANT }; /* each has its own PLC with a watchdog */

struct plant_crah_cmd {
        double sat_sp_c, fan_ratio;
};
/* Least water of an evaporator: below it the running machine trips. */
double plant_min_flow_m3s(const struct plant_spec *s);
/* Least lift that a machine works at, condenser water entering minus chilled water leaving, as a maker gives it (Daikin
 * WSC: condenser water of 10.3 °C at 6.7 °C leaving; oil return, pressure for the expansion valve). From colder tower
 * water its own head-pressure control (a bypass around the condenser) makes up what is missing: nothing trips, and such
 * water saves and carries no more than water at that lift. */
#define PLANT_MIN_LIFT_K 4.0
/* Least loop_volume_m3 that can be built: with less the water would change faster than the plant steps (about 17 s of
 * the pumps' design flow; real loops hold minutes of it). */
double plant_min_volume_m3(const struct plant_spec *s);

struct plant_chiller_cmd {
        bool enable;
};
struct plant_water_cmd {
        double chwst_sp_c, cwst_sp_c;
};

struct plant_crah_cmd *plant_crah_cmd(struct plant *p, size_t i);
struct plant_chiller_cmd *plant_chiller_cmd(struct plant *p, size_t i);
struct plant_water_cmd *plant_water_cmd(struct plant *p);
void plant_remote_enable(struct plant *p, enum plant_dev dev, size_t i, bool on);
void plant_heartbeat(struct plant *p, enum plant_dev dev, size_t i,
                     uint16_t counter); /* a changed value renews the lease */
bool plant_is_remote(const struct plant *p, enum plant_dev dev, size_t i);
#define PLANT_WATCHDOG_S 60.0

/* The PLC's own strategy when local. B0 and B2 of the yardstick are these, run by the PLC. */
enum plant_local { PLANT_LOCAL_FIXED, PLANT_LOCAL_TRIM_RESPOND };
void plant_set_local(struct plant *p, enum plant_local strategy);
/* What TRIM_RESPOND is tuned by (plant_local.c says how the values in force were found); for `coolplane-sim tune`. */
struct plant_local_tuning {
        double target_c, fan_request, stage_up, stage_down, chwst_max_c, approach_k, sat_max_c, sat_min_c, fan_min,
            cwst_min_c;
};
struct plant_local_tuning *plant_local_tuning(struct plant *p);

/* --- instruments: what the sensors show (noise, bias, quantisation, faults applied at the register) -----------------
 */
struct plant_crah_meas {
        double sat_c, rat_c, sat_sp_c, fan_ratio, fan_cmd_ratio, valve_ratio, power_w, dp_pa, chw_in_c, chw_out_c,
            airflow_m3s;
        bool running, alarm;
};
struct plant_rack_meas {
        double inlet_c, inlet_low_c, outlet_c, power_w;
};
struct plant_chiller_meas {
        double chwst_c, chwrt_c, cw_in_c, cw_out_c, power_w, plr, chw_flow_m3s, starts, hours;
        bool running, enabled, alarm;
};
struct plant_water_meas {
        double chwst_c, chwrt_c, cwst_c, cwrt_c, chw_flow_m3s, cw_flow_m3s, chw_pump_w, cw_pump_w, tower_w,
            tower_fan_ratio, chwst_sp_c, cwst_sp_c, econ_ratio;
};
struct plant_weather_meas {
        double oat_c, wetbulb_c, rh_ratio;
};
void plant_crah_meas(const struct plant *p, size_t i, struct plant_crah_meas *ret);
void plant_rack_meas(const struct plant *p, size_t i, struct plant_rack_meas *ret);
void plant_chiller_meas(const struct plant *p, size_t i, struct plant_chiller_meas *ret);
void plant_water_meas(const struct plant *p, struct plant_water_meas *ret);
void plant_weather_meas(const struct plant *p, struct plant_weather_meas *ret);
double plant_dewpoint_c(const struct plant *p, size_t room);

/* --- hosts and VMs: owned by the plant, moved when asked -----------------------------------------------------------
 */
struct plant_host {
        uint32_t id;
        size_t rack;
        double cores, mem_gib, idle_w, max_w, sleep_w;
        bool asleep, reserved;
};
struct plant_vm {
        uint32_t id;
        size_t host;
        double cores, mem_gib, cpu_cores;
        bool movable, moving;
};
size_t plant_nhost(const struct plant *p);
size_t plant_nvm(const struct plant *p);
void plant_host(const struct plant *p, size_t i, struct plant_host *ret);
void plant_vm(const struct plant *p, size_t i, struct plant_vm *ret); /* with arrivals, i is good until time goes on */
/* Starts a live migration: takes seconds to minutes of plant time, fails sometimes (seeded). 0, -EBUSY, -ENOSPC,
 * -EINVAL. */
int plant_move_vm(struct plant *p, size_t vm, size_t to_host, uint64_t request_id);
struct plant_move_event {
        uint64_t request_id;
        size_t vm, from, to;
        bool done, failed;
        bool gone; /* failed: the VM left the site, and vm is no longer its index */
};
bool plant_next_move_event(struct plant *p, struct plant_move_event *ret);

/* With arrivals, since the start: those it began with have arrived; refused: no host had room. */
struct plant_vm_counts {
        uint64_t arrived, left, refused;
};
void plant_vm_counts(const struct plant *p, struct plant_vm_counts *ret);

/* --- truth and accounts: for the yardstick, never for the agent ----------------------------------------------------
 */
struct plant_account {
        double hours;
        double it_kwh, it_fan_kwh; /* it excludes server fans */
        double crah_fan_kwh, chiller_kwh, pump_kwh, tower_kwh;
        double cooling_kwh, total_kwh;          /* cooling = the four above; total = it + it_fan + cooling */
        double max_inlet_c, degmin27, degmin32; /* degree-minutes summed over the racks */
        double max_rise_15min_k;                /* of any rack, above its least of the last 15 min */
        double max_swing_15min_k;               /* of any rack, greatest less least of 15 min */
        /* Dew point, looked at once a minute. A cold surface is one that must stay dry and has the temperature of the
         * coldest supply air that comes into its room: floor tiles, doors, cabinets, IT. It must stay PLANT_DRY_K above
         * the room's dew point; minutes summed over the rooms. Chilled-water pipes are insulated. The coils stand over
         * drain pans and may be wet: minutes, summed over the CRAHs, in which the coldest part of the coil's surface
         * is below the room's dew point. */
        double max_dewpoint_c, cold_surface_min, wet_coil_min;
        double latent_kwh; /* heat of the vapour that the coils condensed; part of what the chillers moved */
        /* Racks above 32 °C, counted every 5 s (of a longer internal step as often); equipment rule broken. The
         * second counts from the moment a supervisor first held a device and is never reset. */
        uint64_t hard_violations, hard_violations_since_takeover;
        uint64_t chiller_starts, migrations;
        /* How far things were moved, as looked at once a minute: setpoints in force and valve positions, each way, mean
         * of the CRAHs; and the chilled-water setpoint. What wears actuators and unsettles rooms. */
        double sat_travel_k, fan_travel_ratio, valve_travel_ratio, chwst_travel_k;
        uint64_t flow_trips; /* of running machines, by too little water through the evaporator */
        double econ_hours;   /* economiser on; with no chiller needed: econ_alone_hours */
        double econ_alone_hours;
        double stored_kwh;            /* heat in water, air and masses, more than at the reset */
        double energy_residual_ratio; /* |heat in − heat out − stored| / heat in; NaN of a plant that is lost */
};
#define PLANT_DRY_K 2.0
#define PLANT_RESIDUAL_MAX 0.005 /* a run that loses more of its heat is worth nothing: whatever measures fails */
void plant_account(const struct plant *p, struct plant_account *ret);
void plant_account_reset(struct plant *p);
double plant_true_inlet_c(const struct plant *p, size_t rack);
/* The hottest inlet at any internal step since the last call (or since the reset), °C. */
double plant_take_peak_inlet_c(struct plant *p);

/* Which rules were broken since a supervisor first held a device, the first of them: one entry a rule and rack or
 * chiller, in order of the first time. */
#define PLANT_BREACHES_MAX 32
enum plant_rule {
        PLANT_RULE_INLET,        /* a rack above 32 °C */
        PLANT_RULE_MIN_ON,       /* ordered off too soon after its start */
        PLANT_RULE_LAST_RUNNING, /* ordered off while no other machine had passed its start */
        PLANT_RULE_MIN_OFF,      /* ordered on too soon after its stop */
        PLANT_RULE_STARTS,       /* ordered on with no start left in the hour */
};
struct plant_breach {
        enum plant_rule rule;
        size_t index;   /* rack or chiller */
        int64_t t_ms;   /* the first time */
        uint64_t steps; /* how often */
        double worst;   /* °C; of the timers: s that had passed, the least */
};
/* [returned count], borrowed until the plant goes on. */
size_t plant_breaches(const struct plant *p, const struct plant_breach **ret);
const char *plant_rule_str(enum plant_rule rule);

/*
 * Faults by name, with the rows of the fault catalogue they make (ARCHITECTURE.md). CHANNEL is inlet, inlet-low,
 * outlet, rack-power, sat, rat, crah-power, dp, coil-in, coil-out, airflow, chiller-leaving, chiller-power (each with
 * an index I), chw-supply, chw-return, cw-supply, cw-return, oat, wetbulb (I = 0). What the PLCs measure for their own
 * loops stays right, but for the racks' inlets, which they share.
 *
 *   stuck:CHANNEL:I  bias:CHANNEL:I:K  drift:CHANNEL:I:K_PER_H  spike:CHANNEL:I:K (one reading in 20)   S1 S2 S3
 *   lost:CHANNEL:I (not a number; integers show their sentinel)  fahrenheit:CHANNEL:I                   S4 S10 S5
 *   const:CHANNEL:I:V (V also inf, -inf, nan; integers show their sentinel)                             S6 S4
 *   swap:CHANNEL:I:J (two of a kind exchanged)  mass-loss:CHANNEL:SHARE (the first of them)             S12 S11
 *   crah-fail:I  crah-deaf:I (takes setpoints, does nothing)  crah-reboot:I  valve-stuck:I:RATIO        X3 M12 M8 X8
 *   watchdog-inert (no device falls back to local)                                                     M9
 *   chiller-trip:I  chiller-foul:I:F (power · (1 + F))  tower-fail  cw-pump-fail                         X1 L3 X2
 *   evap-flow:I:RATIO (of its pump's flow through chiller I's evaporator)  bypass-shut (minimum flow)   X8 X6
 *   containment-open:ROOM  utility-loss:S (no power to anything but the servers)                        X3 X4
 *   load-step:F (VM demand · F)  heat-wave:K (dry and wet bulb)  dew-point:ROOM:C                       X5 L4
 *
 * 0; -EINVAL: no such fault, index or value; -ENOSPC: more than PLANT_FAULTS_MAX instruments. Takes effect now; "clear"
 * ends all.
 */
#define PLANT_FAULTS_MAX 1024
int plant_fault(struct plant *p, const char *name);

#endif
