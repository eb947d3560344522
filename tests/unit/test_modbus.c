/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_modbus_env.h"
#include "test_modbus_peer.h"

static struct env e;
static struct peer peer[16];

static struct device_stats stats(int device)
{
        struct device_stats s;
        modbus_driver_stats(e.driver, device, &s);
        return s;
}

static bool two_good_scans(struct env *x)
{
        for (size_t i = 0; i < x->site.npoint; i++)
                if (x->good[i] < 2)
                        return false;
        return true;
}

static void every_table_and_width_is_read(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 7);
        int word = env_point(&e, d, POINT_TABLE_HOLDING, 10, POINT_UINT16);
        int flt = env_point(&e, d, POINT_TABLE_INPUT, 20, POINT_FLOAT32);
        int coil9 = env_point(&e, d, POINT_TABLE_COIL, 9, POINT_BIT);
        int coil0 = env_point(&e, d, POINT_TABLE_COIL, 0, POINT_BIT);
        int disc = env_point(&e, d, POINT_TABLE_DISCRETE, 3, POINT_BIT);
        int bit = env_point(&e, d, POINT_TABLE_HOLDING, 11, POINT_BIT);
        e.point[bit].bit = 4;
        peer[0].holding[11] = 1u << 4;
        peer[0].holding[20] = 0x4190; /* 18.0625f */
        peer[0].holding[21] = 0x8000;
        peer[0].coil[9] = peer[0].coil[3] = true;
        env_start(&e, false);
        assert_null(e.act.write);
        env_run(&e, two_good_scans, 2000);
        assert_true(e.last[word].value >= 1010 && e.last[word].value <= 1010);
        assert_true(e.last[flt].value >= 18.0625 && e.last[flt].value <= 18.0625);
        assert_true(e.last[coil9].value > 0.5 && e.last[coil0].value < 0.5 && e.last[disc].value > 0.5);
        assert_true(e.last[bit].value > 0.5);
        assert_int_equal(peer[0].overlaps, 0);
        assert_int_equal(peer[0].writes, 0);
        assert_int_equal(peer[0].connections, 1);
        assert_int_equal(peer[0].last_unit, 7);
        assert_int_equal(stats(d).state, DEVICE_UP);
        assert_int_equal(stats(d).read_errors, 0);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

static bool hundred_scans(struct env *x)
{
        return x->good[0] >= 100;
}

/* Events that contain `text`. */
static int told(const struct env *x, const char *text)
{
        int n = 0;
        for (const char *p = strstr(x->events, text); p; p = strstr(p + 1, text))
                n++;
        return n;
}

static bool quarantined_two(struct env *x)
{
        return stats(0).quarantined == 2 && x->good[0] >= 3;
}

static bool all_back(struct env *x)
{
        (void)x;
        return stats(0).quarantined == 0;
}

/* R5: illegal registers cost their own points only, with a bounded number of requests, and come back when legal. */
static void r5_bisect_and_quarantine(void **state)
{
        (void)state;
        env_init(&e, 20000.0); /* 10 min of plant time are 30 ms */
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].period_ms = 100000; /* 5 ms */
        for (uint16_t i = 0; i < 100; i++)
                (void)env_point(&e, d, POINT_TABLE_HOLDING, i, POINT_UINT16);
        peer[0].illegal[37] = peer[0].illegal[90] = true;
        env_start(&e, false);
        env_run(&e, quarantined_two, 2000);
        assert_true(e.first.state == DEVICE_DOWN && !e.first.known); /* amid its first scan: nothing is told yet */
        for (size_t i = 0; i < 100; i++) {
                bool bad = i == 37 || i == 90;
                assert_int_equal(e.last[i].quality, bad ? QUALITY_BAD : QUALITY_GOOD);
                assert_int_equal(e.last[i].reason, bad ? QR_BAD_ADDR : QR_NONE);
                assert_true(bad ? e.good[i] == 0 : e.bad[i] == 0);
                assert_true(!bad || isnan(e.last[i].value));
        }
        /* Each register found costs at most 2 log2(100) requests; then 3 blocks a scan. */
        assert_true(stats(d).exceptions[2] >= 2 && stats(d).exceptions[2] <= 2 * 8 + 2 * stats(d).reads / 3);
        assert_int_equal(stats(d).state, DEVICE_UP);
        assert_non_null(strstr(stats(d).last_error, "device-0 unit 1 holding"));

        assert_int_equal(told(&e, "4 modbus: site/zone/device-0/point-37: refused with exception 02"), 1);
        assert_int_equal(told(&e, "refused with exception"), 2);

        peer[0].illegal[37] = peer[0].illegal[90] = false;
        env_run(&e, all_back, 2000);
        assert_int_equal(told(&e, ": readable again"), 2);
        env_run(&e, two_good_scans, 2000);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

/* A device that refuses holes, or long reads, though every point is fine: the plan is cut down instead. */
static void r5_refused_holes_and_lengths_shrink_the_plan(void **state)
{
        (void)state;
        for (int variant = 0; variant < 2; variant++) {
                env_init(&e, 1.0);
                peer_start(&peer[0], e.loop);
                int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
                e.device[d].period_ms = 3;
                for (uint16_t i = 0; i < 60; i++)
                        (void)env_point(&e, d, POINT_TABLE_HOLDING, (uint16_t)(variant == 0 && i >= 30 ? i + 2 : i),
                                        POINT_UINT16);
                if (variant == 0)
                        peer[0].illegal[30] = peer[0].illegal[31] = true; /* no point there: a hole */
                else
                        peer[0].max_count = 16;
                env_start(&e, false);
                env_run(&e, two_good_scans, 2000);
                env_run(&e, hundred_scans, 4000); /* the length is halved scan by scan */
                uint64_t errors = stats(d).read_errors;
                for (size_t i = 0; i < 60; i++)
                        assert_int_equal(e.bad[i], 0);
                env_run(&e, NULL, 50);
                assert_int_equal(stats(d).read_errors, errors); /* learned: refused no more */
                assert_true(errors < 40);
                assert_int_equal(told(&e, "modbus: "), told(&e, "5 modbus: "));
                assert_true(told(&e, "refuses merged reads: now at most") >= 1);
                assert_int_equal(stats(d).quarantined, 0);
                assert_int_equal(stats(d).state, DEVICE_UP);
                if (variant == 1) /* 125 → 63 → 32 → 16, and no further: 16, 16, 16 and 12, wherever the scan is now */
                        assert_true(peer[0].last_count == 16 || peer[0].last_count == 12);
                env_stop_driver(&e);
                peer_stop(&peer[0]);
                env_free(&e);
        }
}

static bool read_in_two_pieces_of_30(struct env *x)
{
        return peer[0].last_count == 30 && x->good[0] > 0;
}

static bool read_in_pieces_of_10(struct env *x)
{
        return peer[0].last_count <= 10 && x->good[0] > 0;
}

static bool read_in_one_piece(struct env *x)
{
        return peer[0].last_count == 62 && x->good[0] > 0;
}

static void every_point_once_a_scan_and_good(void)
{
        for (size_t i = 0; i < e.site.npoint; i++) {
                assert_int_equal(e.bad[i], 0);
                assert_true(e.good[i] + 1 >= e.good[0] && e.good[i] <= e.good[0] + 1);
        }
}

/* A device that refuses merged reads only while it starts is read as configured again 10 min later; one that goes on
 * refusing them is asked in vain twice each 10 min, and no point misses a sample. */
static void r5_refused_merged_reads_are_tried_again(void **state)
{
        (void)state;
        env_init(&e, 20000.0); /* 10 min of plant time are 30 ms */
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].period_ms = 60000; /* 3 ms */
        for (uint16_t i = 0; i < 60; i++)
                (void)env_point(&e, d, POINT_TABLE_HOLDING, i >= 30 ? i + 2 : i, POINT_UINT16);
        peer[0].illegal[30] = peer[0].illegal[31] = true; /* a hole */
        peer[0].max_count = 10;
        env_start(&e, false);
        env_run(&e, read_in_pieces_of_10, 2000);
        env_run(&e, NULL, 100);
        uint64_t refused = stats(d).read_errors;
        env_run(&e, NULL, 300);
        refused = stats(d).read_errors - refused;
        (void)printf("%d reads refused in 100 min\n", (int)refused);
        assert_true(refused >= 4 && refused <= 2 * 11);
        every_point_once_a_scan_and_good();

        peer[0].max_count = 0; /* the holes still matter */
        env_run(&e, read_in_two_pieces_of_30, 2000);
        env_run(&e, NULL, 100);
        refused = stats(d).read_errors;
        env_run(&e, NULL, 300);
        refused = stats(d).read_errors - refused;
        (void)printf("%d reads refused in 100 min\n", (int)refused);
        assert_true(refused >= 2 && refused <= 11);
        every_point_once_a_scan_and_good();

        peer[0].illegal[30] = peer[0].illegal[31] = false;
        env_run(&e, read_in_one_piece, 2000);
        refused = stats(d).read_errors;
        env_run(&e, NULL, 100);
        assert_int_equal(stats(d).read_errors, refused);
        every_point_once_a_scan_and_good();
        assert_int_equal(stats(d).quarantined, 0);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

/* The wide plan is refused in its second block, whose first point lies inside a block of the plan that is gone back to.
 */
static void r5_a_refused_try_goes_on_where_it_was(void **state)
{
        (void)state;
        env_init(&e, 20000.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].period_ms = 60000;
        for (uint16_t i = 0; i <= 150; i++)
                if (i != 60 && i != 61 && i != 135 && i != 136) /* 0..124 and 125..150, or 0..59, 62..134, 137..150 */
                        (void)env_point(&e, d, POINT_TABLE_HOLDING, i, POINT_UINT16);
        peer[0].illegal[135] = peer[0].illegal[136] = true;
        env_start(&e, false);
        env_run(&e, hundred_scans, 4000);
        uint64_t refused = stats(d).read_errors;
        env_run(&e, NULL, 300);
        assert_true(stats(d).read_errors - refused >= 2); /* one a try, and it is tried */
        assert_true(stats(d).read_errors - refused <= 11);
        every_point_once_a_scan_and_good();
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

static bool good_device_scanned_40_times(struct env *x)
{
        return x->good[0] >= 40;
}

/* M1, M3, M4, R6: every kind of bad device at once; the one good device keeps its scan. */
static void r6_bad_devices_do_not_disturb_the_good_one(void **state)
{
        (void)state;
        static const enum peer_behaviour hostile[] = {
            PEER_BLACK_HOLE, PEER_SHORT,          PEER_CUT,        PEER_OVERLONG, PEER_WRONG_TID, PEER_WRONG_UNIT,
            PEER_GARBAGE,    PEER_WRONG_FUNCTION, PEER_SLOW_BYTES, PEER_RESET,    PEER_CLOSE,     PEER_FLOOD};
        enum { N = sizeof(hostile) / sizeof(hostile[0]) };
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        int good = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        (void)env_point(&e, good, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        for (int i = 0; i < N; i++) {
                peer_start(&peer[1 + i], e.loop);
                peer[1 + i].behaviour = hostile[i];
                int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[1 + i].port, 1);
                (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
                (void)env_point(&e, d, POINT_TABLE_INPUT, 50, POINT_UINT16); /* a second block */
        }
        int refused = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer_free_port(), 1);
        (void)env_point(&e, refused, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        env_start(&e, false);
        for (int d = 0; d < (int)e.site.ndevice; d++) /* nothing is told of it yet */
                assert_true(stats(d).state == DEVICE_DOWN && !stats(d).known);
        env_run(&e, good_device_scanned_40_times, 3000);

        assert_int_equal(e.bad[0], 0);
        assert_true(stats(good).known);
        assert_int_equal(stats(good).state, DEVICE_UP);
        assert_true(e.max_gap_ms < 500); /* nobody held the loop; an idle machine shows 2–3 */
        (void)printf("scan period %.1f ms, largest deviation %.1f ms, longest gap of the loop %d ms\n",
                     stats(good).scan_period_s * 1e3, stats(good).scan_jitter_s * 1e3, (int)e.max_gap_ms);
        for (size_t i = 1; i < e.site.npoint; i++) {
                assert_int_equal(e.good[i], 0);
                assert_true(e.bad[i] >= 5); /* R8: bad rows at the poll period, not a gap */
                assert_int_equal(e.last[i].reason, QR_COMM_FAIL);
                assert_true(isnan(e.last[i].value));
        }
        for (int d = 1; d < (int)e.site.ndevice; d++) {
                assert_int_equal(stats(d).state, DEVICE_DOWN);
                assert_true(stats(d).known && stats(d).last_error[0] != '\0');
                assert_true(stats(d).read_errors <= 2); /* about 0.8 s: one attempt, not one a scan */
        }
        for (int i = 0; i < N; i++)
                assert_true(peer[1 + i].requests <= 4);
        env_stop_driver(&e);
        for (int i = 0; i <= N; i++)
                peer_stop(&peer[i]);
        env_free(&e);
}

/* Several units behind one port: the dead one costs one time-out per back-off. */
static void r6_dead_unit_behind_a_shared_gateway(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        for (uint8_t unit = 1; unit <= 3; unit++) {
                int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, unit);
                (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        }
        peer[0].dead_unit[2] = true;
        env_start(&e, false);
        env_run(&e, good_device_scanned_40_times, 3000);
        assert_int_equal(peer[0].connections, 1);
        assert_int_equal(e.bad[0], 0);
        assert_int_equal(e.bad[2], 0);
        assert_true(e.good[2] >= 30);
        assert_int_equal(e.good[1], 0);
        assert_true(stats(1).timeouts <= 2);
        assert_true(stats(0).scan_jitter_s < 0.3 + 0.5); /* one time-out of the neighbour, and a busy machine */
        assert_non_null(strstr(stats(1).last_error, "unit 2 holding 5..5: time-out"));

        /* It comes back within the back-off: 1 s ± 20 %. */
        peer[0].dead_unit[2] = false;
        int64_t t0 = clk_real_mono_ms();
        env_run(&e, two_good_scans, 3000);
        assert_true(clk_real_mono_ms() - t0 < 2000);
        assert_int_equal(stats(1).state, DEVICE_UP);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

static uint64_t connects_failed(void)
{
        uint64_t n = 0;
        for (size_t i = 0; i < e.site.ndevice; i++)
                n += stats((int)i).no_connections;
        return n;
}

/* Six units behind one port, with three points of two tables and a heartbeat each. */
static void six_units(int port, int64_t watchdog_ms)
{
        for (uint8_t unit = 1; unit <= 6; unit++) {
                int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", port, unit);
                e.device[d].watchdog_ms = watchdog_ms;
                (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
                (void)env_point(&e, d, POINT_TABLE_INPUT, 50, POINT_UINT16);
                int p = env_writable(&e, d, (uint16_t)(100 + unit), POINT_UINT16);
                e.point[p].role = ROLE_HEARTBEAT_CMD;
        }
}

static bool all_bad_twice(struct env *x)
{
        for (size_t i = 0; i < x->site.npoint; i++)
                if (x->bad[i] < 2)
                        return false;
        return true;
}

/* M1, R6: a host that refuses costs one attempt a back-off, however many units are behind it; where they hold leases
 * the back-off stops growing at a third of the watchdog. */
static void r6_units_of_a_refusing_host_share_its_back_off(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        six_units(peer_free_port(), 3600); /* at most 1 s ± 20 % */
        env_start(&e, true);
        env_run(&e, all_bad_twice, 2000);
        assert_int_equal(connects_failed(), 1);
        for (int d = 0; d < 6; d++) {
                assert_int_equal(stats(d).state, DEVICE_DOWN);
                assert_non_null(strstr(stats(d).last_error, "connection refused"));
        }
        env_run(&e, NULL, 4200);
        (void)printf("%d attempts in 4.2 s\n", (int)connects_failed());
        assert_true(connects_failed() >= 4); /* 1, 2, 4 s would be three */
        assert_true(connects_failed() <= 7);
        for (size_t i = 0; i < e.site.npoint; i++) { /* R8: a bad sample a scan */
                assert_true(e.bad[i] >= 20);
                assert_true(e.bad[i] == e.bad[i - i % 3]); /* of all points of the device */
        }
        env_free(&e);
}

/* A host that answers no SYN costs one time-out of 1 s, not one for each unit. */
static void r6_units_of_a_black_hole_share_its_time_out(void **state)
{
        (void)state;
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(a);
        int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), filler[8];

        assert_int_equal(bind(listening, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(listening, 0), 0);
        assert_int_equal(getsockname(listening, (struct sockaddr *)&a, &len), 0);
        for (size_t i = 0; i < 8; i++) { /* nobody accepts: the queue is full, further SYNs are dropped */
                filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
                (void)connect(filler[i], (struct sockaddr *)&a, sizeof(a));
        }
        env_init(&e, 1.0);
        six_units(ntohs(a.sin_port), 0);
        env_start(&e, false);
        int64_t t0 = clk_real_mono_ms();
        env_run(&e, all_bad_twice, 3000);
        int64_t took = clk_real_mono_ms() - t0;
        (void)printf("six units know after %d ms\n", (int)took);
        assert_true(took >= 990 && took < 1750); /* the next attempt is made after 1.8 s */
        assert_int_equal(connects_failed(), 1);
        env_free(&e);
        for (size_t i = 0; i < 8; i++)
                (void)close(filler[i]);
        (void)close(listening);
}

static bool all_down(struct env *x)
{
        (void)x;
        for (int d = 0; d < 6; d++)
                if (stats(d).state != DEVICE_DOWN)
                        return false;
        return true;
}

static bool six_outcomes(struct env *x)
{
        return x->noutcome >= 6;
}

/* A blink of a gateway: its units are read and hear heartbeats again after one back-off of the first length. */
static void r6_blink_of_a_gateway(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        six_units(peer[0].port, 60000);
        env_start(&e, true);
        env_run(&e, two_good_scans, 2000);
        peer_go_away(&peer[0]);
        env_run(&e, all_down, 2000);
        peer_come_back(&peer[0]);
        int64_t t0 = clk_real_mono_ms();
        memset(e.good, 0, sizeof(e.good));
        env_run(&e, two_good_scans, 10000);
        int64_t took = clk_real_mono_ms() - t0;
        (void)printf("six units are read again after %d ms\n", (int)took);
        assert_true(took < 2500); /* 1.2 s and a busy machine */
        for (int d = 0; d < 6; d++)
                env_write(&e, 3 * d + 2, 7, (uint64_t)d, false);
        env_run(&e, six_outcomes, 2000);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(e.outcome[i].result, WRITE_ACCEPTED);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

static bool third_read(struct env *x)
{
        (void)x;
        return peer[0].reads >= 3;
}

static bool one_outcome(struct env *x)
{
        return x->noutcome >= 1;
}

/* A write that times out between two reads of a block that is being halved ends the scan: one sample a point. */
static void a_scan_ends_in_the_back_off_of_a_write(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].period_ms = 1000000;
        e.device[d].quirks.pause_between_requests_ms = 10;
        for (uint16_t i = 0; i < 40; i++)
                (void)env_point(&e, d, POINT_TABLE_HOLDING, i, POINT_UINT16);
        (void)env_point(&e, d, POINT_TABLE_INPUT, 3, POINT_UINT16);
        int w = env_writable(&e, d, 300, POINT_UINT16);
        peer[0].illegal[3] = true;
        peer[0].swallow_write_reply = true;
        env_start(&e, true);
        env_run(&e, third_read, 2000); /* 0..39, 0..19, 0..9: three pieces wait */
        env_write(&e, w, 5, 1, false);
        env_run(&e, one_outcome, 2000);
        assert_int_equal(e.outcome[0].result, WRITE_TIMED_OUT);
        uint64_t reads = peer[0].reads;
        env_run(&e, NULL, 100);
        assert_int_equal(peer[0].reads, reads);
        for (size_t i = 0; i < e.site.npoint; i++) {
                assert_int_equal(e.good[i] + e.bad[i], 1);
                assert_true(i < 20 || e.bad[i] == 1);
        }
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

static bool one_bad(struct env *x)
{
        return x->bad[0] >= 1;
}

static void exceptions_by_code(void **state)
{
        (void)state;
        for (uint8_t code = 1; code <= 11; code++) {
                if (code == 9)
                        continue; /* not assigned */
                env_init(&e, 1.0);
                peer_start(&peer[0], e.loop);
                peer[0].behaviour = PEER_EXCEPTION;
                peer[0].exception = code;
                int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
                (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
                env_start(&e, false);
                env_run(&e, one_bad, 2000);
                assert_true(stats(d).exceptions[code] >= 1);
                assert_int_equal(e.good[0], 0);
                assert_true(e.bad[0] >= 1);
                assert_int_equal(e.last[0].reason, code <= 3 ? QR_BAD_ADDR : QR_COMM_FAIL);
                assert_int_equal(stats(d).quarantined, code <= 3 ? 1 : 0);
                env_stop_driver(&e);
                peer_stop(&peer[0]);
                env_free(&e);
        }
}

static void busy_is_asked_again(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].quirks.busy_retries = 2;
        (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        peer[0].busy = 2;
        env_start(&e, false);
        env_run(&e, two_good_scans, 2000);
        assert_int_equal(e.bad[0], 0);
        assert_int_equal(stats(d).exceptions[6], 2);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

/* A peer that closes while idle costs no sample: the read is repeated on a new connection. */
static void idle_close_costs_nothing(void **state)
{
        (void)state;
        env_init(&e, 1.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        (void)env_point(&e, d, POINT_TABLE_INPUT, 5, POINT_UINT16); /* its request meets the close */
        peer[0].behaviour = PEER_HANG_UP_AFTER_REPLY;
        env_start(&e, false);
        env_run(&e, two_good_scans, 2000);
        assert_int_equal(e.bad[0] + e.bad[1], 0);
        assert_int_equal(stats(d).state, DEVICE_UP);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

/* At scale 360 a period of 5 s is 14 ms: the scan keeps the plant's time, and never overlaps itself. */
static void scan_period_follows_the_plant_clock(void **state)
{
        (void)state;
        env_init(&e, 360.0);
        peer_start(&peer[0], e.loop);
        int d = env_device(&e, DEVICE_MODBUS_TCP, "127.0.0.1", peer[0].port, 1);
        e.device[d].period_ms = 5000;
        (void)env_point(&e, d, POINT_TABLE_HOLDING, 5, POINT_UINT16);
        env_start(&e, false);
        int64_t t0 = clk_real_mono_ms();
        env_run(&e, hundred_scans, 10000);
        int64_t took = clk_real_mono_ms() - t0;
        (void)printf("100 scans in %d ms, mean period %.3f s, largest deviation %.3f s\n", (int)took,
                     stats(d).scan_period_s, stats(d).scan_jitter_s);
        assert_true(took >= 1360); /* 99 × 13.9 ms */
        assert_true(stats(d).scan_period_s >= 4.9);
        assert_int_equal(peer[0].overlaps, 0);
        env_stop_driver(&e);
        peer_stop(&peer[0]);
        env_free(&e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test(every_table_and_width_is_read),
            cmocka_unit_test(r5_bisect_and_quarantine),
            cmocka_unit_test(r5_refused_holes_and_lengths_shrink_the_plan),
            cmocka_unit_test(r5_refused_merged_reads_are_tried_again),
            cmocka_unit_test(r5_a_refused_try_goes_on_where_it_was),
            cmocka_unit_test(r6_bad_devices_do_not_disturb_the_good_one),
            cmocka_unit_test(r6_dead_unit_behind_a_shared_gateway),
            cmocka_unit_test(r6_units_of_a_refusing_host_share_its_back_off),
            cmocka_unit_test(r6_units_of_a_black_hole_share_its_time_out),
            cmocka_unit_test(r6_blink_of_a_gateway),
            cmocka_unit_test(a_scan_ends_in_the_back_off_of_a_write),
            cmocka_unit_test(exceptions_by_code),
            cmocka_unit_test(busy_is_asked_again),
            cmocka_unit_test(idle_close_costs_nothing),
            cmocka_unit_test(scan_period_follows_the_plant_clock),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
