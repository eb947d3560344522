/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The annex rig beside a database in a folder of its own, and a disk that can be full. */
#ifndef TESTS_UNIT_GATE_RIG_STORE_H
#define TESTS_UNIT_GATE_RIG_STORE_H

#include "tests/unit/gate_rig.h"

#include <signal.h>
#include <sys/resource.h>

/* One step with a proposal; `fan` NaN: as it is. */
static inline void step(struct rig *r, double fan, enum write_result result)
{
        struct ipc_proposal p;

        advance(r, ROLE_NONE);
        proposal(r, &p);
        for (uint32_t j = 0; j < p.nu && isfinite(fan); j++)
                if (p.u[j] <= 1)
                        p.u[j] = fan;
        gate_step_end(r->gate, &p, false);
        finish_writes(r, result);
}

static inline void steps(struct rig *r, int n, double fan)
{
        for (int i = 0; i < n; i++)
                step(r, fan, WRITE_ACCEPTED);
}

struct folder {
        char dir[64], db[96], why[256];
        struct store *store;
};

static inline void folder_open(struct folder *f)
{
        (void)snprintf(f->dir, sizeof f->dir, "/tmp/coolplane-act.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        (void)snprintf(f->db, sizeof f->db, "%s/a.db", f->dir);
        assert_int_equal(store_open(f->db, STORE_WRITE, &f->store, f->why), 0);
}

static inline void folder_close(struct folder *f)
{
        static const char *const tail[] = {"", "-wal", "-shm", ".lock"};
        char path[128];

        for (size_t i = 0; i < sizeof tail / sizeof tail[0]; i++) {
                (void)snprintf(path, sizeof path, "%s%s", f->db, tail[i]);
                (void)unlink(path);
        }
        assert_int_equal(rmdir(f->dir), 0);
}

/* From now on no file grows: what is to be stored fails, as on a full disk. */
static inline void disk_full(struct rlimit *ret_old)
{
        struct rlimit none;

        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, ret_old), 0);
        none = *ret_old;
        none.rlim_cur = 1;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static inline void disk_free(const struct rlimit *old)
{
        assert_int_equal(setrlimit(RLIMIT_FSIZE, old), 0);
}

/* An actuator that only records. */
static inline int say_not_sent(void *self, const struct write_request *req)
{
        struct rig *r = self;

        r->nwrite = ++r->done;
        gate_write_done(r->gate, &(struct write_outcome){.id = req->id,
                                                         .point = req->point,
                                                         .result = WRITE_NOT_SENT,
                                                         .written = req->value,
                                                         .read_back = (double)NAN});
        return 0;
}

#endif
