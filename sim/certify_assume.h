/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Does what a certificate assumes hold of the true plant? Looks into the model (models/arx/arx_private.h). */
#ifndef COOLPLANE_SIM_CERTIFY_ASSUME_H
#define COOLPLANE_SIM_CERTIFY_ASSUME_H

#include <stdbool.h>

#include "models/arx/arx.h"

/* θ [nterm] lies in the model set: intervals and, where the row has one, ellipsoid. */
bool certify_in_set(const struct arx *m, const double *theta);
/* The mean noise of the window's transitions under θ is no lower than what the anchored bound counts. */
bool certify_in_anchor(const struct arx *m, const struct arx_window *w, const double *theta);

#endif
