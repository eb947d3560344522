/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The simulated devices over a real socket, asked by libmodbus and decoded by the agent's codec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/exitcode.h"
#include "agent/points/codec.h"
#include "agent/points/site.h"
#include "agent/points/units.h"
#include "sim/modbusd.h"
#include "sim/print_site.h"
#include "sim/serve_fault.h"
#include "sim/serve_world.h"

#define SEED_DEFAULT 7

struct rig {
        struct clk clk;
        struct loop *loop;
        struct world world;
        struct registers *regs;
        struct modbusd *modbusd;
        pthread_t thread;
        int call[2], ack[2];
        uint64_t writes_seen;
};

/* The plant and the server belong to the loop's thread; the test runs work there and waits for it. */
struct call {
        void (*fn)(struct rig *g, const void *arg);
        const void *arg;
};

static void on_call(void *ctx, int fd, uint32_t events)
{
        struct rig *g = ctx;
        struct call c;
        (void)events;
        if (read(fd, &c, sizeof(c)) != (ssize_t)sizeof(c))
                return;
        c.fn(g, c.arg);
        (void)!write(g->ack[1], "k", 1);
}

static void on_loop(struct rig *g, void (*fn)(struct rig *, const void *), const void *arg)
{
        struct call c = {fn, arg};
        char k;
        assert_int_equal(write(g->call[1], &c, sizeof(c)), sizeof(c));
        assert_int_equal(read(g->ack[0], &k, 1), 1);
}

static void do_advance(struct rig *g, const void *arg)
{
        plant_advance(g->world.plant, *(const double *)arg);
}

static void do_fault(struct rig *g, const void *arg)
{
        struct fault f;
        assert_int_equal(fault_parse(arg, &f), 0);
        assert_int_equal(fault_apply(&f, g->regs, g->modbusd), 0);
}

static void do_stop(struct rig *g, const void *arg)
{
        (void)arg;
        loop_stop(g->loop);
}

static void advance(struct rig *g, double s)
{
        on_loop(g, do_advance, &s);
}

static void count_write(void *ctx, const struct modbusd_write *w)
{
        struct rig *g = ctx;
        (void)w;
        g->writes_seen++;
}

static void *run(void *arg)
{
        struct rig *g = arg;
        loop_run(g->loop);
        return NULL;
}

static int setup(void **state)
{
        struct rig *g = calloc(1, sizeof(*g));
        const char *env = getenv("COOLPLANE_SEED");
        uint64_t seed = env ? strtoull(env, NULL, 0) : SEED_DEFAULT;
        struct world_args wa = {.site = "tiny", .seed = seed};

        print_message("seed %llu\n", (unsigned long long)seed);
        clk_init(&g->clk, 1, -1, 0);
        assert_int_equal(world_create(&wa, 1768435200000, &g->world), 0);
        plant_advance(g->world.plant, 600);
        assert_int_equal(registers_create(&g->world.spec, g->world.plant, &g->regs), 0);
        assert_int_equal(loop_create(&g->clk, &g->loop), 0);
        struct modbusd_args ma = {.loop = g->loop, .regs = g->regs, .seed = seed, .written = count_write, .ctx = g};
        assert_int_equal(modbusd_create(&ma, &g->modbusd), 0);
        assert_int_equal(pipe(g->call), 0);
        assert_int_equal(pipe(g->ack), 0);
        assert_int_equal(loop_add_fd(g->loop, g->call[0], EPOLLIN, on_call, g), 0);
        assert_int_equal(pthread_create(&g->thread, NULL, run, g), 0);
        *state = g;
        return 0;
}

static int teardown(void **state)
{
        struct rig *g = *state;
        on_loop(g, do_stop, NULL);
        pthread_join(g->thread, NULL);
        modbusd_free(g->modbusd);
        loop_free(g->loop);
        registers_free(g->regs);
        world_free(&g->world);
        for (int k = 0; k < 2; k++) {
                close(g->call[k]);
                close(g->ack[k]);
        }
        free(g);
        return 0;
}

/* ---- a client ---- */

static modbus_t *open_client(const struct rig *g, const struct reg_device *d)
{
        modbus_t *m = modbus_new_tcp("127.0.0.1", modbusd_port(g->modbusd, d->port));
        assert_non_null(m);
        modbus_set_slave(m, d->unit_id);
        modbus_set_response_timeout(m, 0, 200000);
        if (modbus_connect(m) < 0) {
                modbus_free(m);
                return NULL;
        }
        return m;
}

static void close_client(modbus_t *m)
{
        modbus_close(m);
        modbus_free(m);
}

static int get(modbus_t *m, const struct reg *g, uint16_t *regs)
{
        int n = (int)reg_count(g);
        return g->holding ? modbus_read_registers(m, g->address, n, regs)
                          : modbus_read_input_registers(m, g->address, n, regs);
}

static const struct reg_device *device(const struct rig *g, const char *name)
{
        int i = registers_find(g->regs, name);
        assert_true(i >= 0);
        return &g->regs->device[i];
}

static const struct reg *row(const struct reg_device *d, const char *name)
{
        for (size_t k = 0; k < d->nreg; k++)
                if (strcmp(d->reg[k].row, name) == 0)
                        return &d->reg[k];
        fail_msg("%s has no %s", d->name, name);
        return NULL;
}

/* The agent's view of a register, through names as they stand in the printed map. */
static struct point as_point(const struct reg *g)
{
        static const char *const type[] = {"int16", "uint16", "int32", "uint32", "float32"};
        static const char *const order[] = {"AB", "BA", "ABCD", "CDAB", "BADC", "DCBA"};
        static const char *const unit[] = {"none", "degC", "degF",  "W", "kW", "Pa",
                                           "m3/s", "L/s",  "ratio", "%", "h",  "s"};
        struct point p = {0};
        p.type = (enum point_type)point_type_from_str(type[g->type]);
        p.order = (enum point_order)point_order_from_str(order[g->order]);
        p.table = g->holding ? POINT_TABLE_HOLDING : POINT_TABLE_INPUT;
        p.scale = g->scale;
        p.unit = unit_from_str(unit[g->unit]);
        p.valid_min = p.valid_max = p.max_rate = p.min = p.max = p.default_value = p.max_step = (double)NAN;
        p.readable = true;
        return p;
}

static double agent_value(const struct reg *g, const uint16_t *regs)
{
        struct point p = as_point(g);
        struct sample s;
        assert_true(p.unit >= 0);
        codec_decode(&p, regs, 1, &s);
        assert_int_equal(s.quality, QUALITY_GOOD);
        return s.value;
}

static double read_value(const struct rig *g, const char *dev, const char *name)
{
        const struct reg_device *d = device(g, dev);
        const struct reg *r = row(d, name);
        uint16_t regs[2];
        modbus_t *m = open_client(g, d);
        assert_non_null(m);
        assert_int_equal(get(m, r, regs), reg_count(r));
        close_client(m);
        return agent_value(r, regs);
}

/* 0 or the exception code. */
static int write_value(const struct rig *g, const char *dev, const char *name, double si)
{
        const struct reg_device *d = device(g, dev);
        const struct reg *r = row(d, name);
        uint16_t regs[2];
        modbus_t *m = open_client(g, d);
        assert_non_null(m);
        reg_encode(r, si, regs);
        int n = modbus_write_registers(m, r->address, (int)reg_count(r), regs);
        int err = n < 0 ? errno - MODBUS_ENOBASE : 0;
        close_client(m);
        return err;
}

/* ---- tests ---- */

static void test_every_register_shows_the_plant(void **state)
{
        struct rig *g = *state;
        size_t seen = 0;
        bool type[5] = {false}, order[6] = {false}, fahrenheit = false;

        for (size_t i = 0; i < g->regs->ndevice; i++) {
                const struct reg_device *d = &g->regs->device[i];
                modbus_t *m = open_client(g, d);
                assert_non_null(m);
                for (size_t k = 0; k < d->nreg; k++) {
                        const struct reg *r = &d->reg[k];
                        uint16_t regs[2];
                        double truth = reg_value(g->regs, d, r), si;
                        assert_int_equal(get(m, r, regs), reg_count(r));
                        si = agent_value(r, regs);
                        if (r->unit == REG_H) /* the agent's SI has seconds */
                                si /= 3600;
                        double step = fabs(reg_unit_to_si(r->unit, r->scale) - reg_unit_to_si(r->unit, 0));
                        double tol = r->type == REG_FLOAT32 ? 1e-6 * fmax(1, fabs(truth)) : 0.5 * step * 1.001;
                        if (!(fabs(si - truth) <= tol))
                                fail_msg("%s %s: %.9g on the wire, %.9g in the plant", d->name, r->row, si, truth);
                        type[r->type] = order[r->order] = true;
                        fahrenheit |= r->unit == REG_DEGF;
                        seen++;
                }
                close_client(m);
        }
        assert_true(seen > 100);
        for (size_t k = 0; k < 5; k++)
                assert_true(type[k]);
        for (size_t k = 0; k < 6; k++)
                assert_true(order[k]);
        assert_true(fahrenheit);
}

static void test_pinned_literals(void **state)
{
        struct reg g = {.type = REG_FLOAT32, .order = REG_CDAB, .scale = 1, .unit = REG_NONE};
        uint16_t w[2];
        (void)state;
        reg_encode(&g, 21.5, w); /* 0x41ac0000 */
        assert_int_equal(w[0], 0x0000);
        assert_int_equal(w[1], 0x41ac);
        g.order = REG_BADC;
        reg_encode(&g, 21.5, w);
        assert_int_equal(w[0], 0xac41);
        g.order = REG_DCBA;
        reg_encode(&g, 21.5, w);
        assert_int_equal(w[1], 0xac41);
        g = (struct reg){.type = REG_INT16, .order = REG_BA, .scale = 0.1, .unit = REG_DEGF};
        reg_encode(&g, 20, w); /* 68.0 °F = 680 = 0x02a8 */
        assert_int_equal(w[0], 0xa802);
        reg_encode(&g, (double)NAN, w);
        assert_int_equal(w[0], 0x0080); /* 0x8000, bytes swapped */
        assert_true(isnan(reg_decode(&(struct reg){.type = REG_FLOAT32, .order = REG_ABCD, .scale = 1},
                                     (const uint16_t[]){0x7fc0, 0})));
}

static void test_writes_both_sides_of_every_bound(void **state)
{
        struct rig *g = *state;
        size_t seen = 0;

        for (size_t i = 0; i < g->regs->ndevice; i++) {
                const struct reg_device *d = &g->regs->device[i];
                for (size_t k = 0; k < d->nreg; k++) {
                        const struct reg *r = &d->reg[k];
                        struct reg_write w;
                        if (!reg_write_of(r->q, &g->regs->spec, &w)) {
                                if (r->holding)
                                        assert_int_equal(write_value(g, d->name, r->row, 1), 2);
                                continue;
                        }
                        double span = w.device_max - w.device_min;
                        assert_int_equal(write_value(g, d->name, r->row, w.device_min), 0);
                        assert_true(fabs(read_value(g, d->name, r->row) - w.device_min) < 1e-3);
                        assert_int_equal(write_value(g, d->name, r->row, w.device_max), 0);
                        assert_true(fabs(read_value(g, d->name, r->row) - w.device_max) < 1e-3);
                        if (span < 60000) {
                                assert_int_equal(write_value(g, d->name, r->row, w.device_max + 0.02 * span + 1), 3);
                                if (w.device_min > 0.2)
                                        assert_int_equal(
                                            write_value(g, d->name, r->row, w.device_min - 0.02 * span - 0.01), 3);
                                assert_true(fabs(read_value(g, d->name, r->row) - w.device_max) < 1e-3);
                        }
                        seen++;
                }
        }
        assert_true(seen >= 4 * 4 + 3 + 4);
        assert_int_equal(write_value(g, "crah-3", "supply_air_temp_sp", (double)NAN), 3);
        assert_true(g->writes_seen > 40);
}

static void test_half_a_value_is_refused(void **state)
{
        struct rig *g = *state;
        const struct reg_device *d = device(g, "crah-3");
        const struct reg *r = row(d, "supply_air_temp_sp");
        modbus_t *m = open_client(g, d);
        uint16_t two[4] = {0, 0x41a0, 0, 0x41a0}; /* 20.0, 20.0 in CDAB: the second is no fan speed */
        double before = read_value(g, "crah-3", "supply_air_temp_sp");

        assert_int_equal(modbus_write_registers(m, r->address, 1, two), -1);
        assert_int_equal(errno, EMBXILADD);
        assert_int_equal(modbus_write_registers(m, r->address + 1, 2, two), -1);
        /* all or nothing: a good first value with a bad second one */
        assert_int_equal(modbus_write_registers(m, r->address, 4, two), -1);
        assert_int_equal(errno, EMBXILVAL);
        assert_true(fabs(read_value(g, "crah-3", "supply_air_temp_sp") - before) < 1e-6);
        two[2] = 0x0000;
        two[3] = 0x3f00; /* 0.5 */
        assert_int_equal(modbus_write_registers(m, r->address, 4, two), 4);
        assert_true(fabs(read_value(g, "crah-3", "fan_cmd") - 0.5) < 1e-6);
        /* function code 6, one register */
        close_client(m);
        d = device(g, "crah-1");
        m = open_client(g, d);
        assert_int_equal(modbus_write_register(m, row(d, "supply_air_temp_sp")->address, 2150), 1);
        assert_true(fabs(read_value(g, "crah-1", "supply_air_temp_sp") - 21.5) < 1e-9);
        close_client(m);
}

static void test_gaps(void **state)
{
        struct rig *g = *state;
        uint16_t regs[125] = {9};
        modbus_t *m = open_client(g, device(g, "crah-1"));

        /* reserved registers of vendor A read 0, past the end there is nothing */
        assert_int_equal(modbus_read_input_registers(m, 9, 3, regs), 3);
        assert_int_equal(regs[0] | regs[1] | regs[2], 0);
        assert_int_equal(modbus_read_input_registers(m, 15, 2, regs), -1);
        assert_int_equal(errno, EMBXILADD);
        close_client(m);
        m = open_client(g, device(g, "crah-3"));
        assert_int_equal(modbus_read_registers(m, 100, 18, regs), 18);
        assert_int_equal(modbus_read_registers(m, 100, 19, regs), -1);
        assert_int_equal(errno, EMBXILADD);
        assert_int_equal(modbus_read_input_registers(m, 100, 2, regs), -1); /* it has none */
        uint8_t bit;
        assert_int_equal(modbus_read_bits(m, 0, 1, &bit), -1);
        assert_int_equal(errno, EMBXILFUN);
        modbus_set_slave(m, 77);
        assert_int_equal(modbus_read_registers(m, 100, 2, regs), -1);
        assert_int_equal(errno, EMBXGTAR);
        close_client(m);
}

static void test_lease(void **state)
{
        struct rig *g = *state;
        double local = read_value(g, "crah-1", "supply_air_temp_sp");
        uint16_t beat = 1;

        /* local: a write has no lasting effect */
        assert_int_equal(write_value(g, "crah-1", "supply_air_temp_sp", local + 3), 0);
        advance(g, 10);
        assert_true(fabs(read_value(g, "crah-1", "supply_air_temp_sp") - local) < 1e-9);
        assert_int_equal(read_value(g, "crah-1", "watchdog_time"), 60);

        assert_int_equal(write_value(g, "crah-1", "remote_enable", 1), 0);
        assert_int_equal(read_value(g, "crah-1", "remote_status"), 0); /* no heartbeat yet */
        assert_int_equal(write_value(g, "crah-1", "heartbeat", beat), 0);
        assert_int_equal(read_value(g, "crah-1", "heartbeat_echo"), beat);
        assert_int_equal(read_value(g, "crah-1", "remote_status"), 1);
        assert_int_equal(read_value(g, "crah-2", "remote_status"), 0); /* same port, other unit */
        assert_int_equal(write_value(g, "crah-1", "supply_air_temp_sp", local + 3), 0);
        for (int k = 0; k < 20; k++) {
                assert_int_equal(write_value(g, "crah-1", "heartbeat", ++beat), 0);
                advance(g, 10);
        }
        assert_int_equal(read_value(g, "crah-1", "remote_status"), 1);
        assert_true(fabs(read_value(g, "crah-1", "supply_air_temp_sp") - (local + 3)) < 0.006);
        struct plant_crah_meas m;
        plant_crah_meas(g->world.plant, 0, &m);
        assert_true(fabs(m.sat_sp_c - (local + 3)) < 0.006);

        /* the same counter again is not a heartbeat */
        for (int k = 0; k < 7; k++) {
                assert_int_equal(write_value(g, "crah-1", "heartbeat", beat), 0);
                advance(g, 10);
        }
        assert_int_equal(read_value(g, "crah-1", "remote_status"), 0);
        assert_true(fabs(read_value(g, "crah-1", "supply_air_temp_sp") - local) < 1e-9);
        plant_crah_meas(g->world.plant, 0, &m);
        assert_true(fabs(m.sat_sp_c - local) < 1e-9);
}

/* ---- raw bytes ---- */

static int raw_connect(const struct rig *g, const char *dev)
{
        struct sockaddr_in sa = {.sin_family = AF_INET,
                                 .sin_port = htons(modbusd_port(g->modbusd, device(g, dev)->port))};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_true(fd >= 0);
        if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

/* Bytes until n have come, the peer closed (returns what came), or 300 ms of silence. */
static size_t raw_read(int fd, uint8_t *buf, size_t n)
{
        size_t at = 0;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        while (at < n && poll(&p, 1, 300) == 1) {
                ssize_t r = read(fd, buf + at, n - at);
                if (r <= 0)
                        break;
                at += (size_t)r;
        }
        return at;
}

static bool raw_closed(int fd)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char c;
        return poll(&p, 1, 300) == 1 && read(fd, &c, 1) <= 0;
}

static void test_raw_streams(void **state)
{
        struct rig *g = *state;
        uint8_t buf[8192], one[12] = {0, 0, 0, 0, 0, 6, 1, 4, 0, 0, 0, 8};
        int fd = raw_connect(g, "crah-1");
        enum { MANY = 100, REPLY = 9 + 16 };

        /* many requests in one piece: answered in order, none lost */
        for (size_t k = 0; k < MANY; k++) {
                one[1] = (uint8_t)k;
                memcpy(buf + k * sizeof(one), one, sizeof(one));
        }
        assert_int_equal(write(fd, buf, MANY * sizeof(one)), MANY * sizeof(one));
        assert_int_equal(raw_read(fd, buf, MANY * REPLY), MANY * REPLY);
        for (size_t k = 0; k < MANY; k++) {
                assert_int_equal(buf[k * REPLY + 1], k);
                assert_int_equal(buf[k * REPLY + 7], 4);
        }
        /* one byte at a time */
        for (size_t k = 0; k < sizeof(one); k++)
                assert_int_equal(write(fd, one + k, 1), 1);
        assert_int_equal(raw_read(fd, buf, REPLY), REPLY);
        /* 126 registers: exception 3 */
        one[11] = 126;
        assert_int_equal(write(fd, one, sizeof(one)), sizeof(one));
        assert_int_equal(raw_read(fd, buf, 9), 9);
        assert_int_equal(buf[7], 0x84);
        assert_int_equal(buf[8], 3);
        /* a second connection is served while the first is open; not Modbus: closed */
        int other = raw_connect(g, "crah-1");
        assert_int_equal(write(other, "GET / HTTP/1.0\r\n\r\n", 18), 18);
        assert_true(raw_closed(other));
        close(other);
        one[11] = 8;
        assert_int_equal(write(fd, one, sizeof(one)), sizeof(one));
        assert_int_equal(raw_read(fd, buf, REPLY), REPLY);
        close(fd);
}

/* What a magic register does to the bytes of one answer (two registers: 13 bytes), and that the next, ordinary request
 * on a connection that is still open is answered. Slow and blackhole are told by the clock. */
static void test_magic_registers(void **state)
{
        static const struct {
                enum modbusd_mode mode;
                size_t bytes; /* before the next answer */
                bool closes;
        } magic[] = {{MODBUSD_BLACKHOLE, 0, false},   {MODBUSD_EXCEPTION, 9, false},  {MODBUSD_RESET, 6, true},
                     {MODBUSD_TRUNCATED, 6, false},   {MODBUSD_SHORT, 11, false},     {MODBUSD_OVERLONG, 17, false},
                     {MODBUSD_WRONG_UNIT, 13, false}, {MODBUSD_WRONG_TID, 13, false}, {MODBUSD_LATE, 0, false},
                     {MODBUSD_SLOW, 13, false}};
        struct rig *g = *state;

        for (size_t i = 0; i < sizeof(magic) / sizeof(magic[0]); i++) {
                const unsigned at = MODBUSD_MAGIC + 16 * (unsigned)magic[i].mode;
                const uint8_t ask[12] = {7, 7, 0, 0, 0, 6, 1, 4, (uint8_t)(at >> 8), (uint8_t)at, 0, 2};
                const uint8_t plain[12] = {9, 9, 0, 0, 0, 6, 1, 4, 0, 0, 0, 2};
                uint8_t buf[64] = {0};
                int fd = raw_connect(g, "crah-1");
                const size_t late = magic[i].mode == MODBUSD_LATE ? 13 : 0;

                assert_int_equal(write(fd, ask, sizeof(ask)), sizeof(ask));
                if (magic[i].mode == MODBUSD_SLOW) {
                        const int64_t asked_ms = clk_real_mono_ms();

                        assert_int_equal(raw_read(fd, buf, 13), 13);
                        assert_true(clk_real_mono_ms() - asked_ms >= 500); /* byte by byte, a second in all */
                        close(fd);
                        continue;
                }
                if (!magic[i].closes) /* a peer that may send less than 13 bytes: the next answer ends what is read */
                        assert_int_equal(write(fd, plain, sizeof(plain)), sizeof(plain));
                size_t n = raw_read(fd, buf, magic[i].bytes + late + (magic[i].closes ? 0 : 13));
                if (!magic[i].closes) {
                        assert_int_equal(n, magic[i].bytes + late + 13);
                        assert_int_equal(buf[n - 13], 9);
                        assert_int_equal(buf[n - 13 + 8], 4);
                }
                assert_true(raw_closed(fd) == magic[i].closes);
                if (magic[i].mode == MODBUSD_EXCEPTION)
                        assert_true(buf[7] == 0x84 && buf[8] == 4);
                if (magic[i].mode == MODBUSD_WRONG_UNIT)
                        assert_true(buf[6] != 1);
                if (magic[i].mode == MODBUSD_WRONG_TID)
                        assert_true(buf[0] != 7 || buf[1] != 7);
                close(fd);
        }
        const uint8_t none[12] = {7, 7, 0, 0, 0, 6, 1, 4, 0xff, 0x01, 0, 2}; /* beside the sixteens: no register */
        uint8_t buf[16];
        int fd = raw_connect(g, "crah-1");
        assert_int_equal(write(fd, none, sizeof(none)), sizeof(none));
        assert_int_equal(raw_read(fd, buf, 9), 9);
        assert_int_equal(buf[8], 2);
        close(fd);
}

static void test_hostile_modes(void **state)
{
        struct rig *g = *state;
        uint16_t regs[8];
        modbus_t *m = open_client(g, device(g, "crah-1"));

        on_loop(g, do_fault, "blackhole:crah-1@0");
        assert_int_equal(modbus_read_input_registers(m, 0, 2, regs), -1);
        assert_int_equal(errno, ETIMEDOUT);
        read_value(g, "crah-2", "supply_air_temp"); /* same gateway, other unit: still there */
        on_loop(g, do_fault, "exception:crah-1@0");
        assert_int_equal(modbus_read_input_registers(m, 0, 2, regs), -1);
        assert_int_equal(errno, EMBXSFAIL);
        for (int code = 1; code <= 11; code++) { /* M3 */
                char text[32];
                snprintf(text, sizeof(text), "exception:crah-1:%d@0", code);
                on_loop(g, do_fault, text);
                assert_int_equal(modbus_read_input_registers(m, 0, 2, regs), -1);
                assert_int_equal(errno, MODBUS_ENOBASE + code);
                assert_int_equal(write_value(g, "crah-1", "supply_air_temp_sp", 20), code);
        }
        on_loop(g, do_fault, "heal:crah-1@0");
        on_loop(g, do_fault, "illegal:crah-1:1@0");
        assert_int_equal(modbus_read_input_registers(m, 0, 2, regs), -1);
        assert_int_equal(errno, EMBXILADD);
        assert_int_equal(modbus_read_input_registers(m, 0, 1, regs), 1);
        on_loop(g, do_fault, "garbage:crah-1@0");
        assert_int_equal(modbus_read_input_registers(m, 0, 1, regs), -1);
        close_client(m);
        on_loop(g, do_fault, "refuse:crah-3@0");
        assert_int_equal(raw_connect(g, "crah-3"), -1);
        uint16_t port = modbusd_port(g->modbusd, device(g, "crah-3")->port);
        on_loop(g, do_fault, "heal:crah-3@0");
        on_loop(g, do_fault, "heal:crah-1@0");
        assert_int_equal(modbusd_port(g->modbusd, device(g, "crah-3")->port), port);
        read_value(g, "crah-3", "supply_air_temp");
        read_value(g, "crah-1", "return_air_temp");
        on_loop(g, do_fault, "stuck:inlet:0@0"); /* the plant's own */
}

static void test_fault_text(void **state)
{
        struct rig *g = *state;
        struct fault f;

        assert_int_equal(fault_parse("blackhole:crah-1@12.5", &f), 0);
        assert_true(f.relative);
        assert_int_equal(f.t_ms, 12500);
        assert_string_equal(f.name, "blackhole:crah-1");
        assert_int_equal(fault_parse("clear@2026-07-01T00:00:00Z", &f), 0);
        assert_false(f.relative);
        assert_int_equal(fault_parse("blackhole:crah-1", &f), -EINVAL);
        assert_int_equal(fault_parse("@3", &f), -EINVAL);
        assert_int_equal(fault_parse("x@-1", &f), -EINVAL);
        assert_int_equal(fault_parse("x@nan", &f), -EINVAL);
        static const char *const wrong[] = {
            "blackhole:crah-9@0",     "illegal:crah-1@0",        "illegal:crah-1:70000@0",
            "no-such-fault@0",        "exception:crah-1:12@0",   "exception:crah-1:0@0",
            "slow:crah-1@0",          "slow:crah-1:0.5@0",       "refuse:crah-1:3@0",
            "half-open:crah-9@0",     "clamp:crah-3:200:5@0",    "clamp:crah-3:100:1:2@0",
            "clamp:crah-3:200:3:2@0", "master:crah-3:200:nan@0", "order:crah-3:XY@0",
            "shift:crah-3:x@0",       "heal:crah-9@0",           "partial@0",
            "frozen:crah-3:1@0",      "inert:rack-1@0",          "reset@0"};
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
                assert_int_equal(fault_parse(wrong[k], &f), 0);
                assert_true(fault_apply(&f, g->regs, g->modbusd) < 0);
        }
        /* looked at before anything is served: the first that does not exist is found, and nothing is broken by it */
        static const char *const right[] = {
            "flood:chiller-1@0", "half-open:crah-1@0", "heal:crah-2@0",  "reboot:crah-3@0",
            "frozen:crah-1@0",   "crah-fail:0@0",      "lost:inlet:0@0", "clear@0"};
        const size_t nright = sizeof(right) / sizeof(right[0]);
        struct plant_rack_meas rack;
        struct fault list[9];
        const struct fault *bad = NULL;
        struct world w;

        assert_int_equal(world_create(&(struct world_args){.site = "tiny"}, INT64_C(1649635200000), &w), EXIT_OK);
        for (size_t k = 0; k < nright; k++)
                assert_int_equal(fault_parse(right[k], &list[k]), 0);
        assert_int_equal(fault_check(list, nright, w.plant, &bad), 0);
        assert_null(bad);
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
                assert_int_equal(fault_parse(wrong[k], &list[nright]), 0);
                assert_int_equal(fault_check(list, nright + 1, w.plant, &bad), -EINVAL);
                assert_ptr_equal(bad, &list[nright]);
        }
        plant_rack_meas(w.plant, 0, &rack);
        assert_true(isfinite(rack.inlet_c));
        world_free(&w);
}

/* ---- the printed site ---- */

static void remove_site(const char *dir)
{
        static const char *const files[] = {"site.yaml",
                                            "points.csv",
                                            "profiles/crah-a.csv",
                                            "profiles/crah-b.csv",
                                            "profiles/crah-c.csv",
                                            "profiles/chiller-a.csv",
                                            "profiles/chiller-b.csv",
                                            "profiles"};
        char path[256];
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
                snprintf(path, sizeof(path), "%s/%s", dir, files[k]);
                (void)remove(path);
        }
        assert_int_equal(rmdir(dir), 0);
}

/* An economiser's towers may run colder: the register, its printed bounds and the PLC agree. */
static void test_economiser_lets_condenser_water_be_colder(void **state)
{
        char dir[] = "/tmp/test_modbusd.XXXXXX", path[64], line[512];

        (void)state;
        for (int econ = 0; econ < 2; econ++) {
                struct world_args wa = {.site = "tiny", .seed = 7, .economiser = econ == 1};
                struct world world;
                struct registers *r;
                uint16_t reg;
                bool found = false;

                assert_int_equal(world_create(&wa, 1768435200000, &world), 0);
                assert_int_equal(registers_create(&world.spec, world.plant, &r), 0);
                const int d = registers_find(r, "plant");
                const double lowest = econ ? 6 : 14;
                plant_remote_enable(world.plant, PLANT_DEV_PLANT, 0, true);
                plant_heartbeat(world.plant, PLANT_DEV_PLANT, 0, 1);
                reg = (uint16_t)(lowest * 100);
                assert_int_equal(registers_write(r, (size_t)d, 1, 1, &reg), 0);
                plant_advance(world.plant, 10);
                struct plant_water_meas m;
                plant_water_meas(world.plant, &m);
                assert_true(fabs(m.cwst_sp_c - lowest) < 1e-9); /* in force, not clamped by the PLC */
                reg--;
                assert_int_equal(registers_write(r, (size_t)d, 1, 1, &reg), 3);
                assert_non_null(mkdtemp(dir));
                assert_int_equal(print_site(r, dir, 15020, "127.0.0.1", 1883), 0);
                snprintf(path, sizeof(path), "%s/points.csv", dir);
                FILE *f = fopen(path, "r");
                while (fgets(line, sizeof(line), f))
                        found |= strncmp(line, "tiny/plant/plant/cw_entering_temp_sp,", 37) == 0 &&
                                 strstr(line, econ ? ",6,32,24," : ",14,32,24,") != NULL;
                fclose(f);
                assert_true(found);
                remove_site(dir);
                strcpy(dir, "/tmp/test_modbusd.XXXXXX");
                registers_free(r);
                world_free(&world);
        }
}

static struct site *load(const char *dir)
{
        struct site_errors *errors = NULL;
        struct site *site = NULL;
        char path[256];
        snprintf(path, sizeof(path), "%s/site.yaml", dir);
        int err = site_load(path, &site, &errors);
        if (err < 0)
                site_errors_print(errors, stderr);
        assert_int_equal(err, 0);
        assert_int_equal(site_errors_count(errors), 0); /* no warnings either */
        site_errors_free(errors);
        return site;
}

static size_t count_role(const struct site *s, enum role r)
{
        size_t n = 0;
        for (size_t k = 0; k < s->npoint; k++)
                n += s->point[k].role == r;
        return n;
}

/* Every Modbus point of the printed site, as the agent loads it, answers on the wire with a believable value. */
static void test_printed_site_answers(void **state)
{
        struct rig *g = *state;
        char dir[] = "/tmp/test_modbusd.XXXXXX";
        enum { BASE = 20000 };
        size_t asked = 0;

        assert_non_null(mkdtemp(dir));
        assert_int_equal(print_site(g->regs, dir, BASE, "127.0.0.1", 1883), 0);
        struct site *site = load(dir);
        for (size_t i = 0; i < site->ndevice; i++) {
                const struct device *dev = &site->device[i];
                modbus_t *m = NULL;
                for (size_t k = 0; k < site->npoint; k++) {
                        const struct point *p = &site->point[k];
                        uint16_t regs[4];
                        struct sample s;
                        if (p->device != (int)i || (p->table != POINT_TABLE_HOLDING && p->table != POINT_TABLE_INPUT))
                                continue;
                        if (!m) {
                                m = modbus_new_tcp("127.0.0.1", modbusd_port(g->modbusd, (size_t)(dev->port - BASE)));
                                assert_int_equal(modbus_connect(m), 0);
                        }
                        modbus_set_slave(m, p->unit_id);
                        int n = (int)point_nregs(p);
                        int got = p->table == POINT_TABLE_HOLDING ? modbus_read_registers(m, p->address, n, regs)
                                                                  : modbus_read_input_registers(m, p->address, n, regs);
                        if (got != n)
                                fail_msg("%s: %s", p->name, modbus_strerror(errno));
                        codec_decode(p, regs, 1, &s);
                        if (s.quality != QUALITY_GOOD)
                                fail_msg("%s: %s", p->name, quality_reason_str((enum quality_reason)s.reason));
                        if (p->role == ROLE_INLET_TEMP && !(s.value > 10 && s.value < 35))
                                fail_msg("%s: %g", p->name, s.value);
                        asked++;
                }
                if (m)
                        close_client(m);
        }
        size_t registers = 0;
        for (size_t i = 0; i < g->regs->ndevice; i++)
                registers += g->regs->device[i].nreg;
        assert_int_equal(asked, registers);
        assert_int_equal(count_role(site, ROLE_RACK_POWER), g->world.spec.nrack);
        assert_int_equal(count_role(site, ROLE_SAT_SP), g->world.spec.ncrah);
        assert_int_equal(count_role(site, ROLE_REMOTE_ENABLE), g->world.spec.ncrah + g->world.spec.nchiller + 1);
        site_free(site);
        remove_site(dir);
}

static void assert_same_file(const char *a_dir, const char *b_dir, const char *name)
{
        char path[2][512];
        FILE *f[2];
        int c;
        snprintf(path[0], sizeof(path[0]), "%s/%s", a_dir, name);
        snprintf(path[1], sizeof(path[1]), "%s/%s", b_dir, name);
        for (int k = 0; k < 2; k++) {
                f[k] = fopen(path[k], "r");
                if (!f[k])
                        fail_msg("%s: %s", path[k], strerror(errno));
        }
        do {
                c = fgetc(f[0]);
                if (c != fgetc(f[1]))
                        fail_msg("%s differs from %s: write it again with --print-site", path[1], path[0]);
        } while (c != EOF);
        fclose(f[0]);
        fclose(f[1]);
}

/* deploy/examples is what --print-site writes, and the hall is as large as promised. */
static void test_examples_are_current(void **state)
{
        static const char *const sites[] = {"tiny", "hall"};
        (void)state;
        for (size_t k = 0; k < 2; k++) {
                char dir[] = "/tmp/test_modbusd.XXXXXX", example[512], why[512];
                struct plant_spec spec;
                struct registers *r;
                assert_non_null(mkdtemp(dir));
                assert_int_equal(plant_spec_named(sites[k], &spec), 0);
                assert_int_equal(registers_create(&spec, NULL, &r), 0);
                assert_true(print_site_may(r, dir, NULL, 0, why));
                assert_int_equal(print_site(r, dir, 15020, "127.0.0.1", 1883), 0);
                assert_true(print_site_may(r, dir, NULL, 0, why)); /* again */
                snprintf(example, sizeof(example), "%s/points.csv", dir);
                assert_false(print_site_may(r, dir, (const char *const[]){NULL, example}, 2, why));
                assert_non_null(strstr(why, example));
                registers_free(r);
                snprintf(example, sizeof(example), COOLPLANE_SOURCE_DIR "/deploy/examples/%s", sites[k]);
                assert_same_file(dir, example, "site.yaml");
                assert_same_file(dir, example, "points.csv");
                assert_same_file(dir, example, "profiles/crah-a.csv");
                assert_same_file(dir, example, "profiles/crah-b.csv");
                assert_same_file(dir, example, "profiles/crah-c.csv");
                assert_same_file(dir, example, "profiles/chiller-a.csv");
                struct site *site = load(dir);
                if (strcmp(sites[k], "hall") == 0) {
                        assert_true(site->npoint >= 300);
                        assert_int_equal(count_role(site, ROLE_INLET_TEMP), 96);
                        assert_int_equal(count_role(site, ROLE_CHILLER_ENABLE), 3);
                }
                site_free(site);
                remove_site(dir);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_every_register_shows_the_plant, setup, teardown),
            cmocka_unit_test(test_pinned_literals),
            cmocka_unit_test_setup_teardown(test_writes_both_sides_of_every_bound, setup, teardown),
            cmocka_unit_test_setup_teardown(test_half_a_value_is_refused, setup, teardown),
            cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
            cmocka_unit_test_setup_teardown(test_lease, setup, teardown),
            cmocka_unit_test_setup_teardown(test_raw_streams, setup, teardown),
            cmocka_unit_test_setup_teardown(test_magic_registers, setup, teardown),
            cmocka_unit_test_setup_teardown(test_hostile_modes, setup, teardown),
            cmocka_unit_test_setup_teardown(test_fault_text, setup, teardown),
            cmocka_unit_test_setup_teardown(test_printed_site_answers, setup, teardown),
            cmocka_unit_test(test_economiser_lets_condenser_water_be_colder),
            cmocka_unit_test(test_examples_are_current),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
