/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Answers made wrong on purpose. Pure. */
#ifndef COOLPLANE_SIM_MODBUSD_HOSTILE_H
#define COOLPLANE_SIM_MODBUSD_HOSTILE_H

#include "sim/modbusd.h"

#define MODBUSD_ADU_MAX 260 /* MBAP header 7 + PDU 253 */
#define MODBUSD_HOSTILE_EXTRA 4

/* A frame of n bytes becomes what `mode` makes of it, in place; chance decides where the mode leaves it open. Returns
 * the bytes to send: at most MODBUSD_HOSTILE_EXTRA more. */
size_t modbusd_hostile(enum modbusd_mode mode, uint8_t chance, uint8_t *frame, size_t n);
/* A well-formed answer to nobody's request (11 bytes). */
size_t modbusd_unsolicited(uint8_t *ret_frame);

#endif
