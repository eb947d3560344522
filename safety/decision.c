/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

const char *decision_kind_str(enum decision_kind k)
{
        static const char *const name[] = {"accept", "project", "hold", "fallback"};
        return (unsigned)k < sizeof(name) / sizeof(name[0]) ? name[k] : "unknown";
}

const char *decision_reason_str(enum decision_reason r)
{
        static const char *const name[] = {
            /* in the order of the enum */
            "accepted",    "limit",     "rate",       "equipment",      "worst-case", "slow-step",
            "no-proposal", "malformed", "not-finite", "low-confidence", "sensor",     "not-certifiable",
            "trip",        "interlock", "verify",     "recovering",     "water"};
        _Static_assert(sizeof(name) / sizeof(name[0]) == DR_WATER + 1, "a name for every reason");
        return (unsigned)r < sizeof(name) / sizeof(name[0]) ? name[r] : "unknown";
}

const double *decision_u(const struct safety_decision *d, size_t *ret_nu)
{
        *ret_nu = d->nu;
        return d->u;
}

bool decision_in_box(const struct safety_decision *d, size_t j)
{
        return d->u[j] >= d->box[j].lo && d->u[j] <= d->box[j].hi;
}

enum decision_kind decision_kind(const struct safety_decision *d)
{
        return d->kind;
}

enum decision_reason decision_reason(const struct safety_decision *d)
{
        return d->reason;
}

const struct safety_certificate *decision_certificate(const struct safety_decision *d)
{
        return &d->cert;
}

int64_t decision_t_ms(const struct safety_decision *d)
{
        return d->t_ms;
}
