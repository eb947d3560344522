/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A site: everything coolplane knows about a plant, from two kinds of file: site.yaml (devices, equipment, zones,
 * limits, paths) and point-map CSVs (one per device model, or one for the site). No other source, no code per site.
 *
 * site_load reads, validates and reports every error at once. The result is immutable.
 */
#ifndef COOLPLANE_POINTS_SITE_H
#define COOLPLANE_POINTS_SITE_H

#include <stdio.h>

#include "agent/points/point.h"

#define SITE_NAME_MAX 64
#define SITE_PATH_MAX 256

enum device_protocol { DEVICE_MODBUS_TCP, DEVICE_MODBUS_RTU, DEVICE_MQTT };

/* Names as in Telegraf's workarounds where it has them. Times in ms of real time. */
struct device_quirks {
        int pause_after_connect_ms;
        int pause_between_requests_ms;
        bool close_connection_after_gather;
        bool one_request_per_field;
        int max_word_registers_per_request; /* ≤ 125 */
        int max_bit_registers_per_request;  /* ≤ 2000 */
        int max_gap;                        /* registers of a hole a merged read may cover */
        int busy_retries;
};

struct device {
        char name[SITE_NAME_MAX];
        enum device_protocol protocol;
        char host[SITE_NAME_MAX]; /* TCP host, or serial device path for RTU */
        int port;
        int baud;      /* RTU */
        char parity;   /* RTU: N E O */
        int stop_bits; /* RTU */
        uint8_t unit_id;
        int64_t period_ms; /* scan period, plant time */
        int timeout_ms;    /* response time-out, real time */
        char topic[128];   /* MQTT: topic of the JSON messages of this device */
        struct device_quirks quirks;
        int64_t watchdog_ms; /* after this long without a changing heartbeat the device goes local; 0 = none */
        bool watchdog_probe; /* live mode has to see that happen before it writes a setpoint; false: taken on trust */
        int line;
};

struct equipment {
        char name[SITE_NAME_MAX];
        enum equipment_class cls;
        int zone; /* −1 = none (plant) */
        /* From the equipment's data sheet; NaN = not given. The prior of the safety model (±50 %) comes from these. */
        double capacity_w;                            /* cooling at design */
        double airflow_m3s;                           /* at full fan speed */
        double fan_power_w;                           /* at full fan speed */
        double power_w;                               /* rated electrical */
        double min_on_s, min_off_s, max_starts_per_h; /* chillers */
        double min_flow_m3s;                          /* chillers: least water through the evaporator */
        double max_flow_ramp_per_min;                 /* chillers: how fast that may change, ratio */
        double min_lift_k, max_lift_k;                /* chillers: condenser minus chilled water setpoint */
        double surge_lift_k; /* chillers: the greatest at no load; max_lift_k is at full load */
        int line;
};

struct zone {
        char name[SITE_NAME_MAX];
        int line;
};

/* Limits (°C unless named), kept by the safety layer where nothing else is said. Defaults: ARCHITECTURE.md, "Limits".
 * A key that the gate does not enforce gives a warning when the site file sets it. */
struct site_limits {
        double inlet_recommended_c; /* proposals and the fallback keep inlets below this (ASHRAE recommended, 27) */
        double inlet_allowable_c;   /* hard: the certified worst case stays below it; above it full cooling at once (A1,
                                       32) */
        double inlet_min_c;         /* 18 recommended; shown, kept by nobody */
        double chwst_min_c, chwst_max_c;
        double chwst_freeze_c; /* leaving water below it forbids colder setpoints; 2 K below chwst_min when not given */
        double chwst_ramp_k_per_min; /* upward only */
        double
            dewpoint_margin_k; /* supply-air setpoints stay so far above the dew point measured in their zone; soft */
        /* No reading of an air temperature is farther from what the best coefficients make of the step before: sensor,
         * rounding and all that linear rows leave out. NaN = nobody knows such a bound. */
        double noise_max_k;
        double valve_max_ratio;  /* above it no chilled-water raise */
        double tower_approach_k; /* least approach to wet bulb the planner asks for; the gate does not enforce it */
        double it_fan_knee_c;    /* inlet above which server fans speed up (planner's penalty) */
};

/* How long the database keeps what it has. The planner and the gate learn from the last day: samples younger than
 * SITE_RETENTION_MIN_MS are never deleted, however large the database. */
#define SITE_RETENTION_MIN_MS (INT64_C(7) * 24 * 3600 * 1000)
struct site_retention {
        int64_t samples_ms;   /* by age (400 days) */
        int64_t max_bytes;    /* … and while the database is larger than this (200 GiB), the oldest first */
        int64_t decisions_ms; /* decisions, actions, events, VM move requests (5 years) */
};

struct site_vm { /* VM orchestrator over MQTT; enabled = topics given */
        bool enabled;
        char topic[128]; /* <topic>/inventory, <topic>/move/request, <topic>/move/result */
        int max_moves_per_hour;
        int max_concurrent;
};

struct site_mqtt {
        bool enabled;
        char host[SITE_NAME_MAX];
        int port;
        char client_id[SITE_NAME_MAX];
        char username[SITE_NAME_MAX]; /* password: $CREDENTIALS_DIRECTORY/mqtt_password */
        char tls_ca_file[SITE_PATH_MAX], tls_cert_file[SITE_PATH_MAX], tls_key_file[SITE_PATH_MAX];
        int64_t silence_ms; /* connected but silent this long (real time) → rebuild the client */
};

struct site {
        char name[SITE_NAME_MAX];
        double latitude_deg, longitude_deg, elevation_m;
        int64_t fast_step_ms, slow_step_ms; /* control steps, plant time (30 s, 5 min) */
        char database[SITE_PATH_MAX];
        char run_dir[SITE_PATH_MAX]; /* planner.sock and status.sock live here */
        char web_bind[SITE_NAME_MAX];
        int web_port;
        uint64_t seed; /* exploration and planner */
        struct site_limits limits;
        struct site_retention retention;
        struct site_mqtt mqtt;
        struct site_vm vm;

        struct device *device;
        size_t ndevice;
        struct equipment *equipment;
        size_t nequipment;
        struct zone *zone;
        size_t nzone;
        struct point *point;
        size_t npoint;
        char (*file)[SITE_PATH_MAX]; /* files read, for messages */
        size_t nfile;

        uint32_t *point_by_name; /* [npoint] indices into point, sorted by name; private to site_find_point */

        uint8_t hash[32]; /* SHA-256 over the bytes of every file read and of the environment put in: the configuration
                             hash */
};

/* Collected configuration errors; printed as file:line:column: message. */
struct site_errors;
size_t site_errors_count(const struct site_errors *e);               /* errors; 0 after a successful load */
size_t site_errors_warnings(const struct site_errors *e);            /* printed beside them, marked "warning" */
void site_errors_print(const struct site_errors *e, FILE *out);      /* text, one a line */
void site_errors_print_json(const struct site_errors *e, FILE *out); /* a JSON array */
struct site_errors *site_errors_free(struct site_errors *e);
/* What another room finds wrong with a loaded site. file: index into site.file; line 0 = the whole file. */
void site_errors_add(struct site_errors *e, const struct site *s, int file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void site_errors_warn(struct site_errors *e, const struct site *s, int file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* 0, -EINVAL with *ret_errors filled (all of them), -ENOENT/-EISDIR/-EIO when the file cannot be read (also in
 * *ret_errors). *ret_errors is always set and may hold warnings on success. Relative paths resolve against the site
 * file's folder. */
int site_load(const char *path, struct site **ret_site, struct site_errors **ret_errors);
/* The same with another room's checks, so that what they find is told together with the rest. check sees what could be
 * read: where site_errors_count(e) > 0, rows that were wrong are missing, and what is missing says nothing. 0 or -Exxx.
 */
typedef int site_check_fn(const struct site *s, struct site_errors *e);
int site_load_checked(const char *path, site_check_fn *check, struct site **ret_site, struct site_errors **ret_errors);
/* The same from what a database keeps of a configuration (store_get_config): the site file first, every other file
 * under the path by which it was read. Opens no file; what the environment put in is asked of the environment again.
 * -EINVAL when n is 0. */
struct site_text {
        char *path, *text; /* text: not NUL-terminated */
        size_t len;
};
int site_load_texts(const struct site_text *v, size_t n, struct site **ret_site, struct site_errors **ret_errors);
struct site *site_free(struct site *s);

/* Columns of a point map and what each means; NULL past the end. */
const char *point_column(size_t i, const char **ret_help);

/* Index by name, −1 if none. */
int site_find_point(const struct site *s, const char *name);
int site_find_device(const struct site *s, const char *name);
/* The point of this role on this equipment, −1 if none. Of several the writable one (check-config lets only one be),
 * else the first of the map: a controller that shows its setpoint in a second register does not hide the first. */
int site_point_of(const struct site *s, int equipment, enum role role);

#endif
