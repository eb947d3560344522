/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/point.h"

#include <assert.h>
#include <math.h>

#include "agent/points/units.h"

const char *quality_str(enum quality q)
{
        switch (q) {
        case QUALITY_GOOD:
                return "GOOD";
        case QUALITY_UNCERTAIN:
                return "UNCERTAIN";
        case QUALITY_BAD:
                return "BAD";
        }
        return "?";
}

const char *quality_reason_str(enum quality_reason r)
{
        switch (r) {
        case QR_NONE:
                return "none";
        case QR_NOT_YET:
                return "not-yet";
        case QR_COMM_FAIL:
                return "comm-fail";
        case QR_BAD_ADDR:
                return "bad-addr";
        case QR_NAN:
                return "nan";
        case QR_SENTINEL:
                return "sentinel";
        case QR_OUT_OF_RANGE:
                return "out-of-range";
        case QR_RATE:
                return "rate";
        case QR_STUCK:
                return "stuck";
        case QR_STALE:
                return "stale";
        case QR_SOURCE:
                return "source";
        case QR_PARSE:
                return "parse";
        }
        return "?";
}

size_t point_nregs(const struct point *p)
{
        switch (p->type) {
        case POINT_BIT:
        case POINT_INT16:
        case POINT_UINT16:
                return 1;
        case POINT_INT32:
        case POINT_UINT32:
        case POINT_FLOAT32:
                return 2;
        case POINT_INT64:
        case POINT_UINT64:
        case POINT_FLOAT64:
                return 4;
        case POINT_STRING:
                return p->length;
        }
        assert(false && "point type");
        return 1;
}

double point_resolution(const struct point *p)
{
        switch (p->type) {
        case POINT_FLOAT32:
        case POINT_FLOAT64:
        case POINT_STRING:
                return 0;
        case POINT_BIT:
                return 1;
        case POINT_INT16:
        case POINT_UINT16:
        case POINT_INT32:
        case POINT_UINT32:
        case POINT_INT64:
        case POINT_UINT64:
                return fabs(unit_delta_to_si((enum unit)p->unit, p->scale));
        }
        return 0;
}

double point_origin(const struct point *p)
{
        return point_resolution(p) > 0 && p->type != POINT_BIT ? unit_to_si((enum unit)p->unit, p->offset) : 0;
}
