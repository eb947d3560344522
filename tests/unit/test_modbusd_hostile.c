/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * The agent's Modbus driver against the simulated site, one fault a device and all of them at once: no sample is ever
 * good and wrong, every fault has its name, the others keep their scan, and a healed device comes back. Rows M1 to M7,
 * M11, M13, S7 to S9 of the fault catalogue.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/drivers/modbus.h"
#include "agent/points/codec.h"
#include "agent/points/site.h"
#include "sim/modbusd.h"
#include "sim/print_site.h"
#include "sim/serve_fault.h"
#include "sim/serve_world.h"

#define BASE 20000
#define SCALE 100.0    /* a scan each 0.1 s */
#define TIMEOUT_MS 300 /* a busy machine must not cause one */
#define OUTCOMES 32

struct rig {
        struct clk clk;
        struct loop *loop;
        struct world world;
        struct registers *regs;
        struct modbusd *modbusd;
        struct site *site;
        struct modbus_driver *driver;
        struct actuator act;
        const struct reg_device **device_of; /* by point */
        const struct reg **reg_of;
        uint64_t *good, *bad; /* samples by device of the site */
        uint64_t wrong, out_of_range;
        struct write_outcome outcome[OUTCOMES];
        size_t noutcome;
        struct loop_timer *poll;
        bool (*until)(struct rig *g);
        bool reached;
        int64_t deadline_ms;
        uint64_t mark[2]; /* what a condition counts from */
};

/* ---- what comes out of the driver ---- */

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        struct rig *g = ctx;

        for (size_t i = 0; i < n; i++) {
                const struct point *p = &g->site->point[s[i].point];
                const struct reg *r = g->reg_of[s[i].point];
                uint16_t w[4] = {0};
                struct sample truth;

                if (s[i].quality != QUALITY_GOOD) {
                        g->bad[p->device]++;
                        g->out_of_range += s[i].reason == QR_OUT_OF_RANGE;
                        continue;
                }
                g->good[p->device]++;
                reg_encode(r, reg_value(g->regs, g->device_of[s[i].point], r), w);
                codec_decode(p, w, s[i].t_ms, &truth);
                if (!(s[i].value == truth.value)) {
                        if (g->wrong++ == 0)
                                print_message("%s: %.9g instead of %.9g\n", p->name, s[i].value, truth.value);
                }
        }
}

static void on_outcome(void *ctx, const struct write_outcome *o)
{
        struct rig *g = ctx;
        assert_true(g->noutcome < OUTCOMES);
        g->outcome[g->noutcome++] = *o;
}

static void on_poll(void *ctx)
{
        struct rig *g = ctx;
        g->reached = g->until && g->until(g);
        if (g->reached || clk_real_mono_ms() >= g->deadline_ms)
                loop_stop(g->loop);
        else
                loop_timer_arm(g->poll, 2);
}

static void run(struct rig *g, bool (*until)(struct rig *g), int ms)
{
        g->until = until;
        g->deadline_ms = clk_real_mono_ms() + ms;
        loop_timer_arm(g->poll, 0);
        assert_int_equal(loop_run(g->loop), 0);
        if (until)
                assert_true(g->reached);
}

/* ---- the rig: a site of two rooms, the second full of devices with a port of their own ---- */

static void remove_site(const char *dir)
{
        static const char *const files[] = {
            "site.yaml", "points.csv", "profiles/crah-a.csv", "profiles/crah-b.csv", "profiles/chiller-a.csv",
            "profiles"};
        char path[256];
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
                (void)snprintf(path, sizeof(path), "%s/%s", dir, files[k]);
                (void)remove(path);
        }
        assert_int_equal(rmdir(dir), 0);
}

static void load_site(struct rig *g)
{
        char dir[] = "/tmp/test_hostile.XXXXXX", path[64];
        struct site_errors *errors = NULL;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(print_site(g->regs, dir, BASE, "127.0.0.1", 1883), 0);
        (void)snprintf(path, sizeof(path), "%s/site.yaml", dir);
        assert_int_equal(site_load(path, &g->site, &errors), 0);
        site_errors_free(errors);
        remove_site(dir);
        for (size_t i = 0; i < g->site->ndevice; i++) {
                struct device *d = &g->site->device[i];
                if (d->protocol != DEVICE_MODBUS_TCP)
                        continue;
                d->port = modbusd_port(g->modbusd, (size_t)(d->port - BASE));
                d->timeout_ms = TIMEOUT_MS;
        }
        for (size_t i = 0; i < g->site->npoint; i++) {
                const struct point *p = &g->site->point[i];
                int d = registers_find(g->regs, g->site->device[p->device].name);
                for (size_t k = 0; d >= 0 && k < g->regs->device[d].nreg; k++) {
                        const struct reg *r = &g->regs->device[d].reg[k];
                        if (r->address != p->address || r->holding != (p->table == POINT_TABLE_HOLDING))
                                continue;
                        g->device_of[i] = &g->regs->device[d];
                        g->reg_of[i] = r;
                }
        }
}

static int setup(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));
        struct plant_spec spec;

        assert_int_equal(plant_spec_named("tiny", &spec), 0);
        spec.nroom = 2;
        spec.ncrah = 40;
        const struct world_args wa = {.spec = &spec, .seed = 7};
        clk_init(&g->clk, SCALE, -1, 0);
        assert_int_equal(world_create(&wa, 1768435200000, &g->world), 0);
        plant_advance(g->world.plant, 600);
        assert_int_equal(registers_create(&g->world.spec, g->world.plant, &g->regs), 0);
        assert_int_equal(loop_create(&g->clk, &g->loop), 0);
        const struct modbusd_args ma = {.loop = g->loop, .regs = g->regs, .seed = 7};
        assert_int_equal(modbusd_create(&ma, &g->modbusd), 0);
        assert_int_equal(loop_timer_create(g->loop, true, on_poll, g, &g->poll), 0);
        g->device_of = calloc(2000, sizeof(*g->device_of)); /* NOLINT(bugprone-sizeof-expression): of pointers */
        g->reg_of = calloc(2000, sizeof(*g->reg_of));       /* NOLINT(bugprone-sizeof-expression): of pointers */
        g->good = calloc(100, sizeof(*g->good));
        g->bad = calloc(100, sizeof(*g->bad));
        load_site(g);
        assert_true(g->site->npoint < 2000 && g->site->ndevice < 100);
        const struct modbus_args da = {.site = g->site,
                                       .loop = g->loop,
                                       .clk = &g->clk,
                                       .samples = {.samples = on_samples, .ctx = g},
                                       .writable = true,
                                       .writes = {.done = on_outcome, .ctx = g},
                                       .seed = 7};
        assert_int_equal(modbus_driver_create(&da, &g->driver, &g->act), 0);
        *state = g;
        return 0;
}

static int teardown(void **state)
{
        struct rig *g = *state;
        modbus_driver_free(g->driver);
        modbusd_free(g->modbusd);
        loop_timer_free(g->poll);
        loop_free(g->loop);
        registers_free(g->regs);
        world_free(&g->world);
        site_free(g->site);
        free(g->device_of);
        free(g->reg_of);
        free(g->good);
        free(g->bad);
        free(g);
        return 0;
}

static void fault(struct rig *g, const char *text)
{
        struct fault f;
        char at[96];
        (void)snprintf(at, sizeof(at), "%s@0", text);
        assert_int_equal(fault_parse(at, &f), 0);
        if (fault_apply(&f, g->regs, g->modbusd) != 0)
                fail_msg("%s", text);
}

static int device_index(const struct rig *g, const char *name)
{
        for (size_t i = 0; i < g->site->ndevice; i++)
                if (strcmp(g->site->device[i].name, name) == 0)
                        return (int)i;
        fail_msg("no %s", name);
        return -1;
}

static struct device_stats stats(const struct rig *g, const char *name)
{
        struct device_stats st;
        modbus_driver_stats(g->driver, device_index(g, name), &st);
        return st;
}

static int point_index(const struct rig *g, const char *device, const char *row)
{
        int d = device_index(g, device);
        for (size_t i = 0; i < g->site->npoint; i++)
                if (g->site->point[i].device == d && strcmp(strrchr(g->site->point[i].name, '/') + 1, row) == 0)
                        return (int)i;
        fail_msg("no %s/%s", device, row);
        return -1;
}

static bool is_modbus(const struct rig *g, size_t i)
{
        return g->site->device[i].protocol == DEVICE_MODBUS_TCP;
}

static bool all_up(struct rig *g)
{
        struct device_stats st;
        for (size_t i = 0; i < g->site->ndevice; i++) {
                modbus_driver_stats(g->driver, (int)i, &st);
                if (is_modbus(g, i) && (st.state != DEVICE_UP || st.reads == 0))
                        return false;
        }
        return true;
}

/* ---- every way of answering wrongly, all at once ---- */

enum how { TIMEOUT, BAD, LOST, NO_CONNECTION, NONE };
static const struct {
        const char *fault;
        enum how how;
        const char *cause; /* in last_error */
} wire[] = {
    {"refuse:crah-21", NO_CONNECTION, "connection refused"},
    {"blackhole:crah-22", TIMEOUT, "time-out"},
    {"reset:crah-23", LOST, "connection reset"},
    {"half-open:crah-24", TIMEOUT, "time-out"},
    {"truncated:crah-25", TIMEOUT, "time-out in the middle of a reply"},
    {"short:crah-26", BAD, "wrong byte count"},
    {"overlong:crah-27", BAD, "wrong byte count"},
    {"wrong-length:crah-28", BAD, ""}, /* or a time-out, as chance has it */
    {"wrong-unit:crah-29", BAD, "wrong unit id"},
    {"wrong-tid:crah-30", TIMEOUT, "time-out"},
    {"late:crah-31", TIMEOUT, "time-out"},
    {"garbage:crah-32", BAD, ""},
    {"slow:crah-33:400", TIMEOUT, "time-out"},
    {"slow:crah-34:4", NONE, ""}, /* 20 ms a read: slow, not wrong */
    {"flood:crah-35", BAD, "flood of frames nobody asked for"},
};
#define NWIRE (sizeof(wire) / sizeof(wire[0]))

static const char *device_in(const char *text, char *name, size_t size)
{
        (void)snprintf(name, size, "%s", strchr(text, ':') + 1);
        name[strcspn(name, ":")] = '\0';
        return name;
}

static bool every_fault_seen(struct rig *g)
{
        char name[32];
        for (size_t k = 0; k < NWIRE; k++) {
                struct device_stats st = stats(g, device_in(wire[k].fault, name, sizeof(name)));
                if (wire[k].how != NONE && st.read_errors == 0)
                        return false;
        }
        return true;
}

/* Each a block or more a scan; the refused device has been looked at again. */
static bool others_read_on(struct rig *g)
{
        return stats(g, "crah-36").reads >= g->mark[0] + 12 && stats(g, "crah-1").reads >= g->mark[1] + 6 &&
               stats(g, "crah-21").state == DEVICE_DOWN;
}

/* Asked a second time, the device that is late answers the first request. */
static bool late_twice(struct rig *g)
{
        return stats(g, "crah-31").timeouts >= 2;
}

static void hostile_answers_all_at_once(void **state)
{
        struct rig *g = *state;
        char name[32], heal[48];
        struct device_stats st;

        run(g, all_up, 5000);
        for (size_t k = 0; k < NWIRE; k++)
                fault(g, wire[k].fault);
        /* a listener closed does not end the connection that is open */
        g->mark[0] = stats(g, "crah-36").reads;
        g->mark[1] = stats(g, "crah-1").reads;
        run(g, every_fault_seen, 5000);
        uint64_t good[NWIRE];
        for (size_t k = 0; k < NWIRE; k++)
                good[k] = g->good[device_index(g, device_in(wire[k].fault, name, sizeof(name)))];
        run(g, late_twice, 5000);
        run(g, others_read_on, 3000);
        for (size_t k = 0; k < NWIRE; k++) {
                st = stats(g, device_in(wire[k].fault, name, sizeof(name)));
                if (strstr(st.last_error, wire[k].cause) == NULL)
                        fail_msg("%s: %s", wire[k].fault, st.last_error);
                switch (wire[k].how) {
                case TIMEOUT:
                        assert_true(st.timeouts >= 1 && st.bad_replies == 0);
                        break;
                case BAD:
                        assert_true(st.bad_replies + st.timeouts >= 1);
                        break;
                case LOST:
                        assert_true(st.lost >= 1);
                        break;
                case NO_CONNECTION:
                        assert_true(st.no_connections >= 1);
                        break;
                case NONE:
                        assert_int_equal(st.read_errors, 0);
                        assert_int_equal(st.state, DEVICE_UP);
                        break;
                }
                if (wire[k].how == NONE || strncmp(wire[k].fault, "half-open", 9) == 0 ||
                    strncmp(wire[k].fault, "flood", 5) == 0)
                        continue; /* nothing wrong; gone with the connection; may get a true word in between */
                assert_true(st.state != DEVICE_UP);
                /* nothing they say is believed */
                assert_int_equal(g->good[device_index(g, name)], good[k]);
        }
        /* a device beside them, and one of a gateway, were read all the time */
        st = stats(g, "crah-36");
        assert_int_equal(st.read_errors, 0);
        assert_true(st.scan_jitter_s <
                    100); /* 1 s of the wall's: less than the time-outs beside it, one after the other */

        for (size_t k = 0; k < NWIRE; k++) {
                (void)snprintf(heal, sizeof(heal), "heal:%s", device_in(wire[k].fault, name, sizeof(name)));
                fault(g, heal);
        }
        run(g, all_up, 9000);
        assert_int_equal(g->wrong, 0);
}

/* ---- exceptions 01 to 0B, by reads and by writes ---- */

static void write_to(struct rig *g, const char *device, const char *row, double si, uint64_t id)
{
        struct write_request w = {
            .id = id, .point = (uint32_t)point_index(g, device, row), .value = si, .read_back = true};
        assert_int_equal(g->act.write(g->act.self, &w), 0);
}

static const struct write_outcome *outcome(const struct rig *g, uint64_t id)
{
        for (size_t k = 0; k < g->noutcome; k++)
                if (g->outcome[k].id == id)
                        return &g->outcome[k];
        return NULL;
}

static bool every_code_seen(struct rig *g)
{
        char name[32];
        for (unsigned code = 1; code <= 11; code++) {
                (void)snprintf(name, sizeof(name), "crah-%u", 20 + code);
                if (stats(g, name).exceptions[code] == 0)
                        return false;
        }
        return g->noutcome == 11;
}

static void m3_each_exception_code(void **state)
{
        struct rig *g = *state;
        static const enum write_result expected[12] = {
            0,
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_REJECTED_INVALID_SETTING,
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_TIMED_OUT, /* acknowledged: read back, which is refused too */
            WRITE_TIMED_OUT, /* busy for longer than we ask */
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_REJECTED_NOT_ENABLED_OR_AVAILABLE,
            WRITE_REJECTED_INVALID_DEVICE,
            WRITE_REJECTED_INVALID_DEVICE};
        char text[48];

        run(g, all_up, 5000);
        for (unsigned code = 1; code <= 11; code++) {
                (void)snprintf(text, sizeof(text), "exception:crah-%u:%u", 20 + code, code);
                fault(g, text);
                (void)snprintf(text, sizeof(text), "crah-%u", 20 + code);
                write_to(g, text, "supply_air_temp_sp", 20, code);
        }
        run(g, every_code_seen, 5000);
        for (unsigned code = 1; code <= 11; code++) {
                if (outcome(g, code)->result != expected[code])
                        fail_msg("code %u: %s", code, write_result_str(outcome(g, code)->result));
                (void)snprintf(text, sizeof(text), "heal:crah-%u", 20 + code);
                fault(g, text);
        }
        assert_int_equal(stats(g, "crah-36").read_errors, 0);
        assert_int_equal(g->wrong, 0);
}

/* ---- writes that are not what they seem ---- */

static bool four_written(struct rig *g)
{
        return g->noutcome == 4;
}

static bool all_written(struct rig *g)
{
        return g->noutcome == 6;
}

static uint64_t vain_writes(const struct rig *g, const char *device)
{
        return g->regs->device[registers_find(g->regs, device)].vain_writes;
}

static void m5_m6_m7_a_write_is_what_is_read_back(void **state)
{
        struct rig *g = *state;
        const struct write_outcome *o;

        run(g, all_up, 5000);
        fault(g, "partial:crah-21");
        fault(g, "clamp:crah-22:200:18:21");
        fault(g, "ignore:crah-23");
        fault(g, "late:crah-24");
        fault(g, "wrong-unit:crah-25");
        double before = reg_value(g->regs, g->device_of[point_index(g, "crah-23", "supply_air_temp_sp")],
                                  g->reg_of[point_index(g, "crah-23", "supply_air_temp_sp")]);
        for (uint64_t k = 1; k <= 6; k++) {
                char name[32];
                (void)snprintf(name, sizeof(name), "crah-%u", 20 + (unsigned)k);
                write_to(g, name, "supply_air_temp_sp", 21.3, k);
        }
        run(g, four_written, 3000);
        assert_true(outcome(g, 4) == NULL && outcome(g, 5) == NULL); /* it arrived, but nobody can tell yet */
        fault(g, "heal:crah-24");
        fault(g, "heal:crah-25");
        run(g, all_written, 5000);
        o = outcome(g, 1); /* 21.3 in CDAB: the first register is the low half */
        assert_int_equal(o->result, WRITE_MISMATCH);
        assert_true(fabs(o->read_back - 21.3) > 1e-4);
        o = outcome(g, 2);
        assert_int_equal(o->result, WRITE_MISMATCH);
        assert_true(fabs(o->read_back - 21) < 1e-6);
        o = outcome(g, 3);
        assert_int_equal(o->result, WRITE_MISMATCH);
        assert_true(fabs(o->read_back - before) < 1e-5);
        for (uint64_t k = 4; k <= 5; k++) { /* the read-back could */
                assert_int_equal(outcome(g, k)->result, WRITE_ACCEPTED);
                assert_true(fabs(outcome(g, k)->read_back - 21.3) < 1e-5);
        }
        assert_int_equal(outcome(g, 6)->result, WRITE_ACCEPTED);
        /* the second master: what we wrote does not stay */
        fault(g, "master:crah-26:200:24.5");
        registers_step(g->regs);
        int sp = point_index(g, "crah-26", "supply_air_temp_sp");
        assert_true(fabs(reg_value(g->regs, g->device_of[sp], g->reg_of[sp]) - 24.5) < 1e-6);
        assert_true(vain_writes(g, "crah-21") == 1 && vain_writes(g, "crah-22") == 1 && vain_writes(g, "crah-23") == 1);
        assert_true(vain_writes(g, "crah-24") == 0 && vain_writes(g, "crah-25") == 0 && vain_writes(g, "crah-26") == 0);
        /* nor is it ours when the other one's does not stay either */
        fault(g, "clamp:crah-26:200:18:21");
        registers_step(g->regs);
        assert_true(fabs(reg_value(g->regs, g->device_of[sp], g->reg_of[sp]) - 21.0) < 1e-6);
        assert_true(vain_writes(g, "crah-26") == 0);
        assert_int_equal(g->wrong, 0);
}

/* ---- registers that tell something else ---- */

static bool read_out_of_range(struct rig *g)
{
        return g->out_of_range > 3;
}

static bool bad_samples(struct rig *g)
{
        return g->bad[g->mark[0]] > g->mark[1] + 3;
}

static bool outcomes(struct rig *g)
{
        return g->noutcome == g->mark[0];
}

static bool scanned_again(struct rig *g)
{
        return stats(g, "crah-24").reads >= g->mark[0] + 8 && stats(g, "crah-24").state == DEVICE_UP;
}

static void s7_s8_s9_registers_that_lie(void **state)
{
        struct rig *g = *state;

        run(g, all_up, 5000);
        assert_int_equal(g->wrong, 0);
        /* S7: words exchanged. What has a believable range is refused by it; nothing else can be told by one reading.
         */
        fault(g, "order:crah-21:ABCD");
        run(g, read_out_of_range, 3000);
        fault(g, "heal:crah-21");
        /* S8: a map shifted by one shows registers nobody promised: refused, or floats of two halves */
        g->mark[0] = (uint64_t)device_index(g, "crah-22");
        g->mark[1] = g->bad[g->mark[0]];
        fault(g, "shift:crah-22:1");
        run(g, bad_samples, 3000);
        /* S9: the cache answers and the write goes through; the read-back does not confirm it */
        fault(g, "frozen:crah-23");
        write_to(g, "crah-23", "heartbeat", 17, 1);
        g->mark[0] = 1;
        run(g, outcomes, 3000);
        assert_int_equal(outcome(g, 1)->result, WRITE_MISMATCH);
        assert_int_equal(g->regs->device[registers_find(g->regs, "crah-23")].heartbeat, 17);
        /* M8: a reboot forgets the heartbeat and resets its connections; the next scan connects again */
        write_to(g, "crah-24", "heartbeat", 18, 2);
        write_to(g, "crah-24", "remote_enable", 1, 3);
        g->mark[0] = 3;
        run(g, outcomes, 3000);
        assert_int_equal(outcome(g, 2)->result, WRITE_ACCEPTED);
        assert_true(plant_is_remote(g->world.plant, PLANT_DEV_CRAH, 23));
        fault(g, "reboot:crah-24");
        assert_false(plant_is_remote(g->world.plant, PLANT_DEV_CRAH, 23));
        assert_int_equal(g->regs->device[registers_find(g->regs, "crah-24")].heartbeat, 0);
        const uint64_t resets = stats(g, "crah-24").resets; /* idle or not */
        g->mark[0] = stats(g, "crah-24").reads;
        run(g, scanned_again, 5000);
        assert_int_equal(stats(g, "crah-24").resets, resets + 1);
        assert_int_equal(stats(g, "crah-25").resets, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(hostile_answers_all_at_once, setup, teardown),
            cmocka_unit_test_setup_teardown(m3_each_exception_code, setup, teardown),
            cmocka_unit_test_setup_teardown(m5_m6_m7_a_write_is_what_is_read_back, setup, teardown),
            cmocka_unit_test_setup_teardown(s7_s8_s9_registers_that_lie, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
