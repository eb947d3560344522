/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The point table: the current sample of every point, and the checks that need history (rate, stuck, stale).
 * A sample's quality is decided here and nowhere else; nothing is repaired. One thread. Allocates at create only.
 */
#ifndef COOLPLANE_POINTS_QUALITY_H
#define COOLPLANE_POINTS_QUALITY_H

#include "agent/points/point.h"

/* A source time further ahead of our clock comes from a wrong clock and says nothing about age: such a sample is
 * refused.
 */
#define SAMPLE_AHEAD_MS 60000

struct ptable;

int ptable_create(const struct point *points, size_t n, struct ptable **ret);
struct ptable *ptable_free(struct ptable *t);

/* Applies rate, stuck and stale-source rules to *s (quality may get worse, never better), then makes it current.
 * now_ms: the caller's clock (same base as sample t_ms). A sample older than the current one does not replace it,
 * unless the current one is ahead of now_ms; one further ahead than SAMPLE_AHEAD_MS is marked BAD/QR_STALE and never
 * current. */
void ptable_update(struct ptable *t, struct sample *s, int64_t now_ms);

/* Whether a point that is read has had no sample, good or bad, for stale_after, or for one more of them since this said
 * so: then *ret is the BAD/QR_STALE sample that records it, of just after the moment it became true. It does not become
 * current: a reading that comes late is still the newest. Without a first reading, time counts from the first call. */
bool ptable_turned_stale(struct ptable *t, size_t point, int64_t now_ms, struct sample *ret);

/* The current sample; when its age exceeds stale_after_ms it is returned as BAD/QR_STALE. Never NULL. */
struct sample ptable_get(const struct ptable *t, size_t point, int64_t now_ms);

#endif
