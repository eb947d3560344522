/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A point is one value of the plant: where it lives on the wire, how it is decoded, what makes a reading believable,
 * and, when it may be written, within which hard bounds. A sample is one reading of it.
 *
 * Everything outside the drivers is in SI: °C, K, W, Pa, m³/s, ratio 0–1 (points/units.h converts at the edge).
 * Plain data; no I/O.
 */
#ifndef COOLPLANE_POINTS_POINT_H
#define COOLPLANE_POINTS_POINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/points/role.h"

#define POINT_NAME_MAX 96
#define POINT_INVALID_MAX 8

enum point_table {
        POINT_TABLE_COIL,
        POINT_TABLE_DISCRETE,
        POINT_TABLE_HOLDING,
        POINT_TABLE_INPUT,
        POINT_TABLE_MQTT, /* member `key` of the `values` object of its device's topic */
        POINT_TABLE_LOG,  /* exists only in an imported log; no device */
};

enum point_type {
        POINT_BIT,
        POINT_INT16,
        POINT_UINT16,
        POINT_INT32,
        POINT_UINT32,
        POINT_INT64,
        POINT_UINT64,
        POINT_FLOAT32,
        POINT_FLOAT64,
        POINT_STRING,
};

/* Byte order on the wire, A = most significant byte of the value. */
enum point_order {
        ORDER_AB,
        ORDER_BA,
        ORDER_ABCD,
        ORDER_DCBA,
        ORDER_BADC,
        ORDER_CDAB,
        ORDER_ABCDEFGH,
        ORDER_BADCFEHG,
        ORDER_HGFEDCBA,
        ORDER_GHEFCDAB,
        ORDER_CDABGHEF,
        ORDER_EFGHABCD,
};

/* UNCERTAIN is produced by nothing here; its number stays what it is in databases. */
enum quality { QUALITY_GOOD = 0, QUALITY_UNCERTAIN = 1, QUALITY_BAD = 2 };

/* Why a sample is not GOOD. Exactly one at any time; the number is stored in the database: append only. */
enum quality_reason {
        QR_NONE = 0,
        QR_NOT_YET = 1,      /* no reading since start */
        QR_COMM_FAIL = 2,    /* time-out, refused, reset, short or wrong reply */
        QR_BAD_ADDR = 3,     /* device answers 02/03 for this register; quarantined */
        QR_NAN = 4,          /* NaN, Inf or denormal on the wire */
        QR_SENTINEL = 5,     /* a value listed in `invalid` */
        QR_OUT_OF_RANGE = 6, /* outside valid_min..valid_max */
        QR_RATE = 7,         /* faster than max_rate */
        QR_STUCK = 8,        /* unchanged for frozen_after */
        QR_STALE = 9,        /* no good sample for stale_after, or source time too old */
        QR_SOURCE = 10,      /* the source itself flags the value (MQTT `errors`, trend-log status) */
        QR_PARSE = 11,       /* not a number where a number was due */
};

const char *quality_str(enum quality q);
const char *quality_reason_str(enum quality_reason r);

/* One reading. value is meaningless (NaN) when quality is BAD and no number could be decoded. */
struct sample {
        uint32_t point; /* index into site.point[] */
        uint8_t quality;
        uint8_t reason;
        int64_t t_ms; /* source time, UTC epoch ms */
        double value; /* SI */
        double raw;   /* the number on the wire before scale and offset; NaN when none arrived */
};

/* A sentinel: a raw register pattern, or a decoded wire value, or NaN. */
struct point_invalid {
        enum { INVALID_RAW, INVALID_VALUE, INVALID_NAN } kind;
        uint64_t raw;
        double value; /* in the wire's engineering unit */
};

struct point {
        char name[POINT_NAME_MAX]; /* site/building/unit/point; unique */
        int device;                /* index into site.device[], -1 = none */
        int equipment;             /* index into site.equipment[], -1 = none */
        int zone;                  /* index into site.zone[], -1 = none */
        enum role role;            /* from brick class and the equipment's class (role.h) */
        char brick[64];
        char interlock[POINT_NAME_MAX]; /* point that guards this one: 1 or unreadable = full cooling; "" = none */

        enum point_table table;
        uint16_t address; /* 0-based wire address */
        uint8_t unit_id;
        enum point_type type;
        enum point_order order;
        uint8_t bit;          /* bit inside a register */
        uint16_t length;      /* registers of a string */
        char key[64];         /* MQTT/log: member or column name */
        double scale, offset; /* wire engineering value = raw × scale + offset, in `unit` */
        int unit;             /* enum unit (units.h) */
        bool readable, writable;

        struct point_invalid invalid[POINT_INVALID_MAX];
        size_t ninvalid;
        /* SI; NaN = not set */
        double valid_min, valid_max;
        double max_rate;                         /* SI unit per second */
        int64_t frozen_after_ms, stale_after_ms; /* 0 = not set */

        /* writes: SI; a writable number without both min and max is refused at load */
        double min, max;
        double default_value;    /* fail-back value; NaN = none */
        double max_step;         /* largest commanded change per control step toward less cooling; NaN = none */
        double dead_band;        /* a proposed change smaller than this is not made; NaN = the role's default */
        int64_t min_interval_ms; /* least time between two writes toward less cooling */
        int64_t settle_ms;       /* wait before read-back */
        double tol;              /* read-back tolerance */
        int safe_dir;            /* +1: larger = more cooling, −1: smaller = more cooling, 0: none */
        int64_t lease_ms;        /* setpoint lapses to local control unless renewed; 0 = none */

        int line; /* line in the map file, for messages */
        int file; /* index into site.file[] */
};

/* Number of 16-bit registers the point occupies (1 for bits in a register). */
size_t point_nregs(const struct point *p);

/* Smallest change of the SI value that the register can express (|scale| for integers, 0 for floats). */
double point_resolution(const struct point *p);

/* SI value of the raw number 0: what an integer register can express is point_origin + k · point_resolution. 0 for
 * floats and bits. */
double point_origin(const struct point *p);

#endif
