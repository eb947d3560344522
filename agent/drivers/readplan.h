/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Which registers to read in one request: points of a device sorted by (unit id, table, address), merged into blocks of
 * at most max_word_registers_per_request (≤ 125) with holes up to max_gap. Overlapping and aliased points share a
 * block; every readable point is covered exactly once. Points marked `quarantined` get a block of their own each. Pure;
 * allocates at create only.
 */
#ifndef COOLPLANE_DRIVERS_READPLAN_H
#define COOLPLANE_DRIVERS_READPLAN_H

#include "agent/points/site.h"

struct readblock {
        uint8_t unit_id;
        enum point_table table;
        uint16_t address; /* wire */
        uint16_t count;   /* registers (or bits for coil/discrete) */
        size_t first;     /* points: plan->point[first … first+npoint) */
        size_t npoint;
};

struct readplan {
        struct readblock *block;
        size_t nblock;
        uint32_t *point; /* site.point indices grouped by block */
        size_t npoint;
};

/* What a request may cover. From the device's quirks; the driver lowers it when a device refuses merged reads. */
struct readplan_caps {
        size_t max_words, max_bits, max_gap;
        bool one_request_per_field;
};
struct readplan_caps readplan_caps_of(const struct device *d);

/* quarantined: [site->npoint] flags or NULL. 0, -ENOMEM, -ERANGE (a point wider than a request or past 65535). A point
 * wider than the cap still gets its one request: its registers must come from the same instant. */
int readplan_create(const struct site *site, int device, const uint8_t *quarantined, struct readplan **ret);
int readplan_create_capped(const struct site *site, int device, const uint8_t *quarantined,
                           const struct readplan_caps *caps, struct readplan **ret);
struct readplan *readplan_free(struct readplan *p);

#endif
