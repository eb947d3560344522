/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "safety/internal.h"

const char *decision_kind_str(enum decision_kind k)
{
        switch (k) {
        case DECISION_ACCEPT:
                return "accept";
        case DECISION_PROJECT:
                return "project";
        case DECISION_HOLD:
                return "hold";
        case DECISION_FALLBACK:
                return "fallback";
        }
        return "unknown";
}

const char *decision_reason_str(enum decision_reason r)
{
        static const char *const name[] = {
            [DR_ACCEPTED] = "accepted",
            [DR_LIMIT] = "limit",
            [DR_RATE] = "rate",
            [DR_EQUIPMENT] = "equipment",
            [DR_WORST_CASE] = "worst-case",
            [DR_SLOW_STEP] = "slow-step",
            [DR_NO_PROPOSAL] = "no-proposal",
            [DR_MALFORMED] = "malformed",
            [DR_NOT_FINITE] = "not-finite",
            [DR_LOW_CONFIDENCE] = "low-confidence",
            [DR_SENSOR] = "sensor",
            [DR_NOT_CERTIFIABLE] = "not-certifiable",
            [DR_TRIP] = "trip",
            [DR_INTERLOCK] = "interlock",
            [DR_VERIFY] = "verify",
            [DR_RECOVERING] = "recovering",
            [DR_WATER] = "water",
        };

        if ((unsigned)r >= sizeof(name) / sizeof(name[0]))
                return "unknown";
        return name[r];
}

const double *decision_u(const struct safety_decision *d, size_t *ret_nu)
{
        *ret_nu = d->nu;
        return d->u;
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
