/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * What a decision was made on, exact to the bit and small: the snapshot as the filter saw it, the basis
 * (safety_basis_save) and the model set (arx_set_save), as blobs of the database.
 *
 * A blob holds what differs from what can be foretold: of the set from the last one stored whole, which a fit changes
 * and noise tracking between two fits hardly; of the snapshot from the step before, its window one row on. Every
 * EVIDENCE_KEY-th is whole, so is the first of a run and the first after one that could not be stored. Differences are
 * XORs of the doubles' bits, byte planes apart, runs of zeros counted (format: evidence.c). u_confirmed and the action
 * are in the decision's own rows.
 *
 * One coder for one run, to write or to read. Allocates at create only. Blobs read are outside bytes.
 */
#ifndef COOLPLANE_GATE_EVIDENCE_H
#define COOLPLANE_GATE_EVIDENCE_H

#include "agent/store/store.h"
#include "safety/safety.h"

enum { EVIDENCE_KEY = 60 };

struct evidence_shape {
        size_t nu, ny, nd;
        size_t rows;      /* of the window at most */
        size_t nbasis;    /* safety_basis_save */
        size_t set_bytes; /* arx_set_save */
};

struct evidence;
int evidence_create(const struct evidence_shape *shape, struct evidence **ret); /* 0 or -ENOMEM */
struct evidence *evidence_free(struct evidence *e);

/* --- writing */
double *evidence_basis(struct evidence *e); /* [nbasis] to be filled in before evidence_pack */
/* True when a set of this hash need not be given again. */
bool evidence_knows(const struct evidence *e, uint64_t set_hash);
uint8_t *evidence_set(struct evidence *e); /* [set_bytes] to be filled in before evidence_pack, unless it is known */
/* ret borrows from e until the next call. */
void evidence_pack(struct evidence *e, const struct safety_snapshot *snap, uint64_t set_hash,
                   struct store_evidence *ret);
/* ret of evidence_pack is in the database, with the id of its set; or it is not: the next is whole. */
void evidence_stored(struct evidence *e, int64_t set_id);
void evidence_lost(struct evidence *e);

/* --- reading, in the order of the run; -EBADMSG: not of this shape, or damaged */
/* The set that following blobs start from. After an error there is none. */
int evidence_read_base(struct evidence *e, const void *blob, size_t len);
/* The snapshot and the basis. -ENODATA: it follows one that was not read. After an error the next that can be read is a
 * whole one. */
int evidence_read(struct evidence *e, const void *blob, size_t len);
/* Of what was read last: 1 does not know the evaporator flow ramp, which is NaN then. */
int evidence_version(const struct evidence *e);
/* The model set of the blob that was just read, into evidence_set. Needs its base. */
int evidence_read_set(struct evidence *e, const void *blob, size_t len);
/* What was read last, borrowed from e: without t_ms and u_confirmed. The basis is in evidence_basis. */
void evidence_snapshot(const struct evidence *e, struct safety_snapshot *ret);

#endif
