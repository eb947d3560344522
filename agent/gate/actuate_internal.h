/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Private to the actuator: actuate.c (setpoints, outcomes) and supervise.c (heartbeat, remote enable). */
#ifndef COOLPLANE_GATE_ACTUATE_INTERNAL_H
#define COOLPLANE_GATE_ACTUATE_INTERNAL_H

#include "agent/gate/actuate.h"
#include "agent/gate/probe.h"

enum { ACTUATE_OUTCOMES = 512 };

/* Writes of one direction that were rejected or read back otherwise: in a row, and the last of them. */
struct refusals {
        unsigned n;
        int64_t mono_ms;
};

/* Ledger of one writable point. */
struct entry {
        uint32_t point;
        bool pending;            /* a write is under way */
        uint64_t request;        /* its id */
        int64_t action_id;       /* its row, −1 = not stored */
        bool confirmed;          /* we wrote it and read it back */
        double value;            /* what we wrote last, SI */
        int64_t sent_mono_ms;    /* last write, whatever became of it */
        int64_t moved_mono_ms;   /* … that was no refresh */
        int64_t leased_mono_ms;  /* … that was accepted: since then the lease runs */
        int64_t settled_mono_ms; /* readings before this do not count against us */
        unsigned differing;      /* good readings in a row that are not ours */
        unsigned replaced;       /* accepted writes found replaced and written again, and when the first was */
        int64_t replaced_mono_ms;
        bool foreign;
        int dir; /* of the write under way, from what the point showed: −1 less cooling, +1 more, 0 a refresh */
        struct refusals refused[3]; /* [1 + dir] */
        enum write_result last;     /* told once per change */
        int64_t sent_until_t_ms;    /* readings up to here may not show what was sent; 0 = nothing was */
};

/* How far the proof of a device's watchdog has come (probe.c). Heartbeats go out in all of them but two. */
enum probe_state {
        PROBE_NONE,      /* not begun: it is not remote yet */
        PROBE_WITHHELD,  /* no heartbeat goes out, it is to go local */
        PROBE_RETURNING, /* it went local; with heartbeats it is to be remote again */
        PROBE_PROVED,    /* it did so, now or lately, or the site file says that it need not */
        PROBE_INERT,     /* twice it did not go local: left alone until a restart, no heartbeats */
};

/* Supervision of one device. */
struct device_sup {
        int heartbeat_cmd, heartbeat_echo, remote_enable, remote_status; /* points, −1 = none */
        bool complete;                                                   /* all four are there */
        unsigned silent;                                                 /* heartbeats in a row without an echo */
        bool following;                                                  /* the echo came lately */
        bool reported;
        bool enabled;             /* remote enable is set, or was found set */
        bool was_remote;          /* the device reported remote since */
        bool operator_took;       /* latched */
        bool releasing, released; /* actuate_release wants it local; its remote enable was cleared */
        bool let_go;           /* we could move nothing of it: remote enable is cleared, beaten only when it reads 0 */
        int64_t lapse_mono_ms; /* last time it may not have heard us, or we not it */
        int64_t beat_mono_ms;  /* last heartbeat it took; −1 = none */
        int64_t enabled_mono_ms, retry_mono_ms;
        enum probe_state probe;
        int64_t probe_t_ms, probe_mono_ms;            /* when that began */
        unsigned overdue;                             /* times in a row that it stayed remote */
        int64_t went_ms;                              /* from the last heartbeat until it was seen local */
        struct probe_result probed;                   /* what is remembered */
        int64_t hindered_mono_ms;                     /* since when we can move nothing of it; −1 = we can */
        int64_t clear_retry_mono_ms, let_go_until_ms; /* while let go: next try to clear, earliest take-over */
        uint64_t enable_request;                      /* the write of remote enable under way; 0 = none */
        int64_t enable_action;
        enum write_result enable_last, beat_last;
};

struct actuate {
        struct actuate_args a;
        struct entry *u;        /* [nu], index = layout u */
        int *u_of_point;        /* [npoint] → u index, −1 */
        struct device_sup *dev; /* [ndevice] */
        int64_t heartbeat_ms;
        uint16_t beat; /* the counter sent last; 0 = none yet */
        uint64_t next_id;
        int64_t run_id;
        size_t pending;
        bool unstored, outcomes_lost, probes_unsaved, latches_unsaved;
        bool released; /* RELEASE is latched */
        struct write_outcome outcome[ACTUATE_OUTCOMES];
        int64_t outcome_action[ACTUATE_OUTCOMES];
        size_t noutcome;
};

void actuate_report(struct actuate *a, int severity, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A write that was accepted by the driver has its outcome later, or already when this returns: so *id is set before the
 * driver is called, also when that fails. */
enum { SEND_READ_BACK = 1, SEND_INSIST = 2 }; /* as in write_request */
int actuate_send(struct actuate *a, uint32_t point, double value, unsigned flags, uint64_t *id);
void actuate_put_outcome(struct actuate *a, int64_t action_id, const struct write_outcome *o);

/* What keeps the variable itself from being moved, whoever commands its device: free, unreadable, foreign, refused. */
enum actuate_fixed actuate_fixed_itself(const struct actuate *a, size_t j, int64_t t_ms, int64_t mono_ms);

/* supervise.c */
void supervise_create(struct actuate *a);
bool supervise_remote(const struct actuate *a, int device, int64_t t_ms); /* does it report remote control? */
enum actuate_fixed supervise_fixed(const struct actuate *a, int device, int64_t t_ms);
void supervise_done(struct actuate *a, const struct write_outcome *o, int64_t mono_ms);
/* A whole scan and a whole heartbeat period: every register has been read, and looked at, since. */
int64_t supervise_scan_ms(const struct actuate *a, size_t device);
/* A device that has not heard us for this long has gone local, if its watchdog acts, and has been seen to. */
int64_t supervise_patience_ms(const struct actuate *a, size_t device);

/* probe.c. probe_step: one heartbeat period; true: nothing that the device says now is judged. */
void probe_restore(struct actuate *a, int64_t t_ms);
void probe_save(struct actuate *a, int64_t t_ms); /* when there is something new */
bool probe_step(struct actuate *a, size_t device, int64_t t_ms, int64_t mono_ms);

#endif
