/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * State of the reference plant, shared by the plant_*.c files and by nobody else. Each file owns one idea:
 *
 *   plant_spec.c   sizes and geometry      plant_water.c  chillers, loops, tower     plant_meas.c     instruments
 *   plant.c        life and time           plant_plc.c    leases, loops, protection  plant_account.c  truth, energy
 *   plant_it.c     hosts, VMs, moves       plant_local.c  the PLC's own strategies   plant_fault.c    faults by name
 *   plant_air.c    racks, rooms, coils       plant_vms.c    VMs that come and go     plant_memory.c   the arrays
 *   plant_moist.c  dew points, latent load
 *
 * Thermal states are integrated from fluxes that leave one node and enter another, so energy is conserved by
 * construction and the account's residual tests the wiring, not the integrator: water by explicit Euler, air nodes,
 * whose time constants are shorter than a step, by relax() below.
 */
#ifndef COOLPLANE_SIM_PLANT_INTERNAL_H
#define COOLPLANE_SIM_PLANT_INTERNAL_H

#include "models/num/rng.h"
#include "sim/chiller_curves.h"
#include "sim/plant.h"

#define PLANT_STEP_S 5.0       /* longest internal step while anything happens */
#define PLANT_CALM_STEP_S 30.0 /* and while nothing does */
#define PLANT_TICK_S 60.0      /* hosts, weather and slow logic */
#define AIR_J_M3K 1207.0       /* ρ c_p of air */
#define WATER_J_M3K 4.186e6    /* ρ c_p of water */
#define SECONDARY_DESIGN_K 7.0 /* water temperature rise over a coil at design */
#define PRIMARY_DESIGN_K 6.0   /* and over an evaporator */
/* Of an evaporator's design flow: below this a running machine trips. 30-50 % is called typical (unverified; the site's
 * own figure decides); the minimum-flow bypass keeps PRIMARY_MIN. */
#define EVAP_FLOW_MIN 0.4
#define PRIMARY_MIN 0.5
#define PROVE_S 60.0             /* of a start: water flow proven before the compressor starts */
#define FLOW_RAMP_S (0.1 / 60.0) /* of design flow a second: Carrier 30XA p. 30, at most 10 % a minute */

#define NEIGHBOURS 5
#define RISE_SLOTS 16 /* the present minute and the 15 before it */
#define LUT_N 128
#define MOVES_MAX 64
#define EVENTS_MAX 256
#define STARTS_PER_H 3

struct lut { /* y over x in 0–1, LUT_N equal intervals */
        double y[LUT_N + 1];
};

static inline double clampd(double v, double lo, double hi)
{
        return v < lo ? lo : v > hi ? hi : v;
}

static inline double lut_at(const struct lut *l, double x)
{
        const double s = clampd(x, 0.0, 1.0) * LUT_N;
        const size_t i = s < LUT_N ? (size_t)s : LUT_N - 1; /* NaN has no index, and stays NaN */

        return l->y[i] + (l->y[i + 1] - l->y[i]) * (s - (double)i);
}

/*
 * One step of C dx/dt = I - g x with I and g held: a = g dt / C, the exact exp(-a) replaced by 1/(1 + a + a²/2 + a³/6),
 * positive and falling for every a. The new x is x + phi (I - g x) dt/C; the mean over the step, which is what leaves
 * the node, x + psi (I - g x) dt/C; phi = 1 - a psi, so that C (new - x) = dt (I - g mean) to the last digit.
 */
struct relax {
        double phi, psi;
};

static inline struct relax relax(double a)
{
        const double inv = 1.0 / (1.0 + a * (1.0 + a * (0.5 + a * (1.0 / 6.0))));

        return (struct relax){.phi = (1.0 + a * (0.5 + a * (1.0 / 6.0))) * inv,
                              .psi = (0.5 + a * (1.0 / 3.0 + a * (1.0 / 6.0))) * inv};
}

struct lease {
        bool enable, seen; /* seen: a heartbeat came since the start */
        uint16_t counter;
        double age_s; /* since the counter last changed */
};

struct rack {
        size_t room;
        size_t neighbour[NEIGHBOURS]; /* whose outlets its recirculated air comes from, with weights (sum 1) */
        double weight[NEIGHBOURS];
};

/* State of the racks, an array a quantity: the loops over them are most of a step. */
struct air {
        double *cold_c, *inlet_c, *out_c; /* plenum share, cold aisle, hot outlet with the servers' mass */
        double *host_w;                   /* from the hosts, before leakage */
        double *it_w, *fan_w;
        double *speed_ratio; /* server fan controllers' answer to the inlet, 1 = no inlet correction */
        double *flow_m3s;
        double *beta0; /* geometric share of recirculated air, balanced, open room */
        double *local_c, *supply_m3s, *supply_mc, *to_hot; /* scratch */
        double *minute_c;                                  /* [RISE_SLOTS × nrack] */
};

/* Plug flow through a fixed volume: air leaves as warm as it came in, later. */
#define DUCT_PARCELS 32
struct duct {
        double m3[DUCT_PARCELS], c[DUCT_PARCELS];
        size_t head, n;
};

struct crah {
        struct duct duct; /* plenum and tiles, from the coil to the racks */
        double arrive_c;  /* what comes out of it */
        double sat_c, rat_c, sat_sensor_c;
        double valve_ratio, integral, fan_ratio;
        double sat_sp_c, fan_sp_ratio;                       /* in force */
        double seen_sat_c, seen_fan_ratio, seen_valve_ratio; /* a minute ago, by the account */
        double airflow_m3s, water_m3s, fan_w, coil_w, chw_out_c;
        double latent_w, drying; /* of condensing vapour, beside coil_w; air changes of a minute, scratch */
        size_t room;
        bool valve_request;
        bool failed, deaf;  /* faults */
        double stuck_ratio; /* of the valve; NaN = moves */
        double hot_s[2];    /* how long SAT has been 2 K and 3 K above its setpoint */
        struct lease lease;
        struct plant_crah_cmd cmd;
};

struct room {
        size_t rack0, nrack, crah0, ncrah;
        double hot_c, hot_mean_c; /* of return air; mean over the last step */
        double carry_j;           /* in return air, between what left the hot node and what the coils took for it */
        double dewpoint_c, supply_m3s;
        /* trim and respond */
        double sat_sp_c, fan_ratio, error_k;
        bool open; /* fault: containment doors */
};

enum chiller_state { CHILLER_OFF, CHILLER_STARTING, CHILLER_RUNNING };

struct chiller {
        const struct chiller_curves *curves;
        double nominal_w; /* Q_nom of the curves that gives the site's capacity at the rating point */
        enum chiller_state state;
        double state_s; /* in this state; OFF: since the stop, STARTING and RUNNING: since the start order */
        double load_w, power_w, available_w, leaving_c, flow_m3s;
        double start_age_s[STARTS_PER_H]; /* of the last starts, newest first */
        double hours;
        uint64_t starts;
        bool want, want_before, forced, tripped;
        double foul_ratio; /* fault: power above that of a clean machine */
        double evap_ratio; /* fault: of its pump's flow, what goes through the evaporator; 1 = all */
        double low_flow_s;
        bool idle; /* running, but the economiser carries the load: the compressor is off (recycle shut-down) */
        double idle_s;
        struct lease lease;
        struct plant_chiller_cmd cmd;
};

struct water {
        double supply_c, return_c, basin_c; /* header halves of the loop, tower basin with the condenser loop */
        double cw_return_c, entering_c;
        double secondary_m3s, primary_m3s, cw_m3s;
        double primary_ratio;  /* flow of each running machine's pump, of design */
        double coil_return_wc; /* Σ flow·temperature leaving the coils, m³/s·°C */
        double chw_pump_w, cw_pump_w, tower_w, tower_fan_ratio, tower_integral;
        double chwst_sp_c, cwst_sp_c; /* in force; chwst_sp_c moves at the chillers' own ramp */
        double seen_chwst_c;          /* a minute ago, by the account */
        double chwst_target_c;
        bool econ_on;
        double econ_s, econ_w, precooled_c; /* since it switched; heat moved; return water behind it */
        double supply_sensor_c;
        struct lease lease;
        struct plant_water_cmd cmd;
};

struct stage { /* the plant PLC's own staging and reset */
        unsigned wanted;
        double hold_s, up_s, down_s, late_s, hot_s;
        double reset_ratio, reset_delay_s, reset_age_s;
};

struct host {
        struct plant_host pub;
        double used_cores, used_mem_gib; /* reserved by VMs, arriving ones included */
        double cpu_cores, empty_s;       /* cpu_cores: no meaning outside draw() */
        unsigned nvm;
        uint32_t fit, fit_before, fit_after; /* list of hosts with this many free cores, and its neighbours there */
};
#define OVERCOMMIT 1.25
#define FIT_LISTS 81 /* of 0 to 80 free cores */
#define NO_FIT UINT32_MAX
#define NO_HOST UINT32_MAX

struct come {        /* VMs that come and go */
        double keep; /* VMs made of one arrival */
        uint32_t last_id;
        struct plant_vm_counts count;
};

/* CPU use is a straight line between the points at which traces are sampled, and what the racks draw near enough one:
 * VMs are looked at once an interval, and when one came, went or moved. */
#define DEMAND_S 300.0
struct demand {
        double *ratio0, *ratio1; /* of trace k at the two ends, [ntrace] */
        double *rack0_w, *rack1_w;
        size_t ntrace;
        int64_t since_ms, until_ms; /* until_ms ≤ since_ms: none yet */
        double load_step;           /* with which it was made */
        bool stale;
};

struct move {
        uint64_t request_id;
        size_t vm, from, to;
        double left_s;
        bool fails;
};

struct meters { /* joules */
        double time_s, econ_s, econ_alone_s, it, it_fan, crah, chiller, pump, tower, heat_in, heat_out;
        double stored_at_reset, max_inlet_c, degmin27, degmin32, max_rise_k, max_swing_k;
        double max_dewpoint_c, cold_surface_min, wet_coil_min, latent;
        double peak_inlet_c; /* since the last look */
        double sat_travel_k, fan_travel_ratio, valve_travel_ratio, chwst_travel_k;
        uint64_t violations, starts, migrations, flow_trips;
};

enum channel_kind { CH_RACK, CH_CRAH, CH_CHILLER, CH_WATER, CH_WEATHER };

/* One instrument: kind, index and item, as noise and faults name it. */
static inline uint64_t channel_key(enum channel_kind kind, size_t i, unsigned item)
{
        return ((uint64_t)kind << 56) ^ ((uint64_t)i << 16) ^ item;
}

enum sensor_fault_kind {
        SENSOR_STUCK,
        SENSOR_BIAS,
        SENSOR_DRIFT,
        SENSOR_SPIKE,
        SENSOR_LOST,
        SENSOR_FAHRENHEIT,
        SENSOR_SWAP
};
struct sensor_fault {
        uint64_t key;
        enum sensor_fault_kind kind;
        double v;       /* STUCK: shown; BIAS, SPIKE: K; DRIFT: K/h */
        size_t other;   /* SWAP: index shown instead */
        double since_s; /* elapsed_s when it began */
};

struct plant {
        struct plant_spec spec;
        const struct weather *weather;
        const struct workload *load;
        int64_t start_ms;
        double elapsed_s, tick_s;
        uint64_t minute;
        struct rng rng;
        enum plant_local local;
        struct sensor_fault sensor_fault[PLANT_FAULTS_MAX];
        size_t nsensor_fault;
        double load_step, heat_k, outage_s; /* faults: factor on VM demand, warmer weather, no power for */
        bool tower_failed, cw_pump_failed, bypass_shut, watchdog_inert;

        unsigned char *block; /* what all arrays point into: plant_memory.c */
        struct rack *rack;
        struct air air;
        struct crah *crah;
        struct room *room;
        double *crah_share; /* [ncrah × share_stride]: each rack's share of the CRAH's air that is not drawn */
        size_t share_stride;
        struct host *host;
        struct plant_vm *vm;
        uint32_t *vm_trace; /* [vm_max], as vm */
        int64_t *vm_end_ms; /* with arrivals only */
        uint32_t fit_first[FIT_LISTS];
        struct come come;
        size_t nhost, nvm, vm_max, nidle; /* nidle: hosts empty and awake */
        struct demand demand;
        double quiet_s;     /* since anything last happened that wants short steps */
        double calm_step_s; /* the longest internal step then */
        struct chiller chiller[PLANT_CHILLER_MAX];
        struct water water;
        struct stage stage;
        struct plant_local_tuning tuning;
        struct weather_now now;
        struct meters meter;
        bool taken_over; /* a lease was alive once */
        uint64_t violations_since_takeover;
        struct plant_breach breach[PLANT_BREACHES_MAX];
        size_t nbreach;
        struct lut valve_flow, host_curve;

        struct move move[MOVES_MAX];
        size_t nmove;
        struct plant_move_event event[EVENTS_MAX];
        size_t event_head, event_n;

        /* derived from the spec */
        double rack_flow_m3s, rack_fan_w, cold_j_k, inlet_j_k, out_j_k, hot_j_k; /* hot_j_k per rack */
        double room_ua_w_k, crah_water_m3s, coil_ua_w_k;
        double header_j_k, basin_j_k, primary_m3s, secondary_m3s, cw_m3s;
        double primary_w, secondary_w, cw_pump_w, tower_fan_w, tower_air_kg_s;
        double econ_m3s, econ_pump_w, econ_ua_w_k; /* tower water through the heat exchanger; 0 = there is none */
};

/* plant_memory.c */
int plant_allocate(struct plant *p); /* the arrays of a valid p->spec, zeroed; 0 or -ENOMEM */
/* plant_spec.c */
int plant_build(struct plant *p);
/* plant_it.c */
void plant_it_build(struct plant *p);
void plant_it_tick(struct plant *p);
void plant_moves_step(struct plant *p, double dt_s);
bool plant_host_fits(const struct host *h, double cores, double mem_gib);
void plant_vm_add(struct plant *p, const struct plant_vm *vm); /* nvm < vm_max, and the host takes it */
void plant_vm_remove(struct plant *p, size_t k);
/* plant_vms.c */
void plant_vms_build(struct plant *p);
size_t plant_vms_max(const struct plant_spec *s);
void plant_vms_step(struct plant *p, int64_t now_ms, bool next); /* next: the bin after that of the call before */
void plant_host_refit(struct plant *p, size_t host);
/* plant_air.c */
#define DUCT_S 10.0 /* the volume, as seconds of full airflow */
void plant_duct_fill(struct duct *d, double m3, double c);
double plant_duct_step(struct duct *d, double in_m3, double in_c); /* °C of the in_m3 that leave */
double plant_duct_m3k(const struct duct *d);                       /* Σ m³·°C */
void plant_air_step(struct plant *p, double dt_s);
/* Where the water enters and the air leaves: the coldest part. Dry and as warm as the air where either stands still. */
double plant_coil_surface_c(const struct plant *p, const struct crah *c);
/* plant_moist.c */
void plant_moist_tick(struct plant *p);
/* plant_water.c */
void plant_water_build(struct plant *p);
void plant_water_step(struct plant *p, double dt_s);
/* With head-pressure control: tower water below PLANT_MIN_LIFT_K counts as that. */
double plant_chiller_capacity_w(const struct plant *p, size_t i, double leaving_c, double tower_c);
double plant_chiller_power_w(const struct plant *p, size_t i, double load_w, double leaving_c, double tower_c);
/* plant_plc.c */
void plant_plc_step(struct plant *p, double dt_s);
bool plant_lease_alive(const struct plant *p, const struct lease *l);
/* plant_local.c */
void plant_local_reset(struct plant *p);
void plant_local_tick(struct plant *p);
/* plant_account.c */
void plant_account_step(struct plant *p, double dt_s);
void plant_account_tick(struct plant *p);
void plant_violation(struct plant *p, enum plant_rule rule, size_t index, double value, uint64_t n);
/* plant_fault.c */
void plant_faults_clear(struct plant *p);
/* plant_meas.c: what the PLC and the outside see of one inlet */
double plant_inlet_reading_c(const struct plant *p, size_t rack);

#endif
