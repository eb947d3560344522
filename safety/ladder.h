/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The mode ladder as a table: where one control step leads, from the mode it finds and the worst condition it meets.
 * Down at once, up after a run of clean steps, out of RELEASE by an operator only. Pure; the counting is the caller's.
 */
#ifndef COOLPLANE_SAFETY_LADDER_H
#define COOLPLANE_SAFETY_LADDER_H

enum ladder_mode {
        LADDER_ACTIVE,   /* proposals through the filter */
        LADDER_HOLD,     /* what the plant has, leases renewed */
        LADDER_FALLBACK, /* trim and respond from readings, no model */
        LADDER_RELEASE,  /* no heartbeats: the plant's own controls */
        LADDER_MODES
};

/* Worst last: of several that hold, the later one is the step's. */
enum ladder_input {
        LADDER_PROVEN,   /* clean, as every step of the last while was */
        LADDER_CLEAN,    /* a proposal that can be used, no reading above its trip */
        LADDER_UNCLEAN,  /* a reading above its trip, not for long enough to be believed */
        LADDER_NO_PLAN,  /* no proposal that can be used, or nothing read yet */
        LADDER_OVERDUE,  /* the same, for longer than HOLD may last */
        LADDER_DEGRADED, /* too many readings gone, a trip or an interlock */
        LADDER_LOST,     /* blind, or without a record of what is done, for too long */
        LADDER_REARM,    /* the operator's word; meets no other input */
        LADDER_INPUTS
};

enum ladder_mode ladder_next(enum ladder_mode mode, enum ladder_input input);
const char *ladder_mode_str(enum ladder_mode m);
const char *ladder_input_str(enum ladder_input i);

#endif
