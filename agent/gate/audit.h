/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Decisions of a database judged again offline: by the safety library that made them (safety_recheck) on what was
 * stored with them (evidence.h), with the site file and nothing else. Opens no device and writes nothing.
 */
#ifndef COOLPLANE_GATE_AUDIT_H
#define COOLPLANE_GATE_AUDIT_H

#include "agent/store/store.h"

enum audit_verdict {
        AUDIT_HOLDS,   /* the certificate was computed again: same margin, same binding output; the rules hold */
        AUDIT_RULES,   /* it carries no certificate; limits, rates and equipment rules hold, the record is as written */
        AUDIT_PARTLY,  /* cannot be re-checked; action within limits and rates of what was confirmed, as far as seen */
        AUDIT_DIFFERS, /* something is not as it was said */
        AUDIT_VERDICTS
};
const char *audit_verdict_str(enum audit_verdict v);

struct audit_decision {
        enum audit_verdict verdict;
        int64_t t_ms, run_id;
        const struct store_decision *d;
        const char *why;          /* "" for HOLDS: static text, the same for the same reason */
        double margin;            /* recomputed; NaN = not computed */
        const char *binding;      /* output with the least margin, recomputed; "" = none */
        const char *binding_said; /* the same as stored */
        uint64_t model_hash;      /* of the set that is stored */
        bool recomputed;          /* margin, binding and model_hash are known */
};

/* Time without decisions longer than a step and a half. */
struct audit_gap {
        int64_t from_ms, to_ms;   /* the last decision before, the first after it */
        int64_t run_from, run_to; /* 0 = none: the span begins or ends there */
        uint64_t steps;           /* steps of one run that are not in the database */
};

struct audit_sink {
        void (*decision)(void *ctx, const struct audit_decision *d);
        void (*gap)(void *ctx, const struct audit_gap *g);
        void *ctx;
};

struct audit_counts {
        size_t decisions, verdict[AUDIT_VERDICTS], gaps;
        uint64_t steps_missing;
};

/* Decisions with from ≤ t_ms < to; INT64_MIN, INT64_MAX: from the first, to the last. 0; -ENODEV: nothing can be
 * commanded at this site; -errno of the store, -ENOMEM. */
int audit_run(const struct site *site, struct store *store, int64_t from_ms, int64_t to_ms,
              const struct audit_sink *sink, struct audit_counts *ret);

#endif
