/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Exit codes of every program (sysexits.h where it has them). 3 and 4 are apart so that CI gates work. */
#ifndef COOLPLANE_BASE_EXITCODE_H
#define COOLPLANE_BASE_EXITCODE_H

enum {
        EXIT_OK = 0,
        EXIT_GENERIC = 1,
        EXIT_USAGE_ = 2,
        EXIT_VIOLATIONS = 3,      /* evaluated, violations found */
        EXIT_CANNOT_EVALUATE = 4, /* not enough or unsuitable data */
        EXIT_DATA = 65,           /* bad input data */
        EXIT_UNAVAILABLE = 69,    /* device, broker or daemon */
        EXIT_IO = 74,
        EXIT_TEMPFAIL = 75,
        EXIT_CONFIG = 78,
};

#endif
