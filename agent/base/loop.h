/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The one event loop (epoll): descriptors, timers in plant time or real time, signals by signalfd. Single thread;
 * library threads hand over through a queue and wake the loop with an eventfd.
 */
#ifndef COOLPLANE_BASE_LOOP_H
#define COOLPLANE_BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/base/clock.h"

struct loop;
struct loop_timer;

typedef void (*loop_fd_fn)(void *ctx, int fd, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP */
typedef void (*loop_timer_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, int signo);

int loop_create(const struct clk *clk, struct loop **ret); /* clk borrowed */
struct loop *loop_free(struct loop *l);

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *ctx);
int loop_mod_fd(struct loop *l, int fd, uint32_t events);
void loop_del_fd(struct loop *l, int fd); /* safe inside callbacks; does not close */

/* A timer object belongs to its creator; armed one-shot (arming again moves it). after_ms ≥ 0, in plant time (scaled)
 * or real time. -ENOTSUP for a plant-time timer on a virtual clock: its owner moves it, nobody can wait for it. Timers
 * are freed before their loop. */
int loop_timer_create(struct loop *l, bool real_time, loop_timer_fn fn, void *ctx, struct loop_timer **ret);
void loop_timer_arm(struct loop_timer *t, int64_t after_ms);
void loop_timer_disarm(struct loop_timer *t);
struct loop_timer *loop_timer_free(struct loop_timer *t);

/* Blocks these signals and delivers them in the loop. Call once, before any thread is started. */
int loop_signals(struct loop *l, const sigset_t *set, loop_signal_fn fn, void *ctx);

int loop_run(struct loop *l); /* until loop_stop; 0 or -Exxx */
void loop_stop(struct loop *l);

#endif
