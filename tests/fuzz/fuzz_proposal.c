/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Planner messages, from the bytes of the socket to the write at the actuator, on the annex site (tests/data/annex)
 * with an inventory of its racks. Input: steps { flags u8, length u8, patch of that length }: a right proposal of the
 * present setpoints, patched (fuzz_patch), is given to ipc_check and the gate as server.c does it. The bytes as they
 * are go to ipc_check too. Oracles: a refusal says why; whatever is written is finite, writable and inside the point's
 * bounds; a step always ends in a decision; a move request is one line of JSON with names of the inventory.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "agent/gate/gate.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 40, STEPS_FIRST = 3, WRITES_MAX = 256, STEP_MS = 10000 };
enum { FLAG_ABSENT = 1, FLAG_SHORT = 2, FLAG_OTHER = 4, FLAG_SENSORS_LOST = 8, FLAG_LONG = 16 };

struct rig {
        const struct site *site;
        struct clk clk;
        struct gate *gate;
        struct write_request write[WRITES_MAX];
        size_t nwrite;
        double *value; /* [npoint] */
        struct ipc_step step;
};

static const char inventory[] =
    "{\"timestamp\":1752537600000,\"hosts\":["
    "{\"name\":\"h1\",\"rack\":\"row1\",\"cores\":32,\"mem_gib\":256,\"idle_w\":100,\"max_w\":300},"
    "{\"name\":\"h2\",\"rack\":\"row2\",\"cores\":32,\"mem_gib\":256,\"idle_w\":100,\"max_w\":300}],"
    "\"vms\":[{\"name\":\"v1\",\"host\":\"h1\",\"cores\":4,\"mem_gib\":8,\"cpu_cores\":2,\"movable\":true}]}";

static const struct site *annex(void)
{
        static struct site *site;
        if (site)
                return site;
        char yaml[8192], map[8192];
        FILE *f = fopen(COOLPLANE_SOURCE_DIR "/tests/data/annex/site.yaml", "r");
        MUST(f);
        size_t n = fread(yaml, 1, sizeof yaml - 1, f);
        (void)fclose(f);
        yaml[n] = '\0';
        for (char *at = strstr(yaml, "@PORT@"); at; at = strstr(at, "@PORT@"))
                memcpy(at, "  1502", 6);
        f = fopen(COOLPLANE_SOURCE_DIR "/tests/data/annex/points.csv", "r");
        MUST(f);
        size_t len = fread(map, 1, sizeof map, f);
        (void)fclose(f);
        (void)fuzz_file("points.csv", map, len);
        struct site_errors *errors;
        if (site_load(fuzz_file("site.yaml", yaml, n), &site, &errors) < 0)
                site_errors_print(errors, stderr);
        site_errors_free(errors);
        MUST(site);
        for (size_t i = 0; i < site->ndevice; i++)
                site->device[i].watchdog_probe = false; /* nothing here ever goes local */
        return site;
}

static int on_write(void *self, const struct write_request *req)
{
        struct rig *r = self;
        MUST(req->point < r->site->npoint);
        const struct point *p = &r->site->point[req->point];
        MUST(p->writable && req->value >= p->min && req->value <= p->max);
        if (r->nwrite == WRITES_MAX)
                return -EAGAIN;
        r->write[r->nwrite++] = *req;
        r->value[req->point] = req->value;
        for (size_t i = 0; p->role == ROLE_HEARTBEAT_CMD && i < r->site->npoint; i++)
                if (r->site->point[i].role == ROLE_HEARTBEAT_ECHO && r->site->point[i].device == p->device)
                        r->value[i] = req->value;
        return 0;
}

static int on_move(void *ctx, const char *json)
{
        size_t quotes = 0, n = strlen(json);
        (void)ctx;
        MUST(n > 2 && json[0] == '{' && json[n - 1] == '}');
        for (size_t i = 0; i < n; i++) {
                MUST((unsigned char)json[i] >= 0x20 && json[i] != '\\');
                quotes += json[i] == '"';
        }
        MUST(quotes == 18);
        MUST(strstr(json, "\"vm\":\"v1\",\"to\":\"h2\""));
        return 0;
}

static void finish_writes(struct rig *r)
{
        for (size_t i = 0; i < r->nwrite; i++)
                gate_write_done(r->gate, &(struct write_outcome){.id = r->write[i].id,
                                                                 .point = r->write[i].point,
                                                                 .result = WRITE_ACCEPTED,
                                                                 .written = r->write[i].value,
                                                                 .read_back = r->write[i].value,
                                                                 .t_ms = clk_t_ms(&r->clk)});
        r->nwrite = 0;
}

static double plausible(enum role role)
{
        switch (role) {
        case ROLE_INLET_TEMP:
                return 21;
        case ROLE_SAT:
        case ROLE_SAT_SP:
                return 17.8;
        case ROLE_RAT:
                return 27;
        case ROLE_FAN_CMD:
                return 0.9;
        case ROLE_RACK_POWER:
                return 4000;
        case ROLE_REMOTE_STATUS:
        case ROLE_REMOTE_ENABLE:
                return 1;
        default:
                return 1000;
        }
}

static void advance(struct rig *r, bool lost)
{
        clk_advance_to(&r->clk, clk_t_ms(&r->clk) + STEP_MS);
        for (size_t i = 0; i < r->site->npoint; i++) {
                struct sample s = {.point = (uint32_t)i, .t_ms = clk_t_ms(&r->clk), .value = r->value[i]};
                if (lost && r->site->point[i].role == ROLE_INLET_TEMP)
                        s = (struct sample){.point = (uint32_t)i,
                                            .quality = QUALITY_BAD,
                                            .reason = QR_COMM_FAIL,
                                            .t_ms = s.t_ms,
                                            .value = (double)NAN,
                                            .raw = (double)NAN};
                gate_samples(r->gate, &s, 1);
        }
        gate_heartbeat(r->gate);
        gate_step_begin(r->gate, &r->step);
}

/* As server.c: the message lies in a union of that alignment, what ipc_check refuses is "malformed". */
static void answer(struct rig *r, unsigned flags, const uint8_t *patch, size_t npatch)
{
        union {
                struct ipc_proposal p;
                unsigned char bytes[sizeof(struct ipc_proposal) + 16];
        } in;
        const char *why = NULL;
        size_t n = sizeof in.p;
        memset(&in, 0, sizeof in);
        ipc_head_init(&in.p.head, IPC_PROPOSAL, r->step.head.seq, r->step.head.t_ms, r->site->hash);
        in.p.nu = r->step.nu;
        in.p.in_distribution = 1;
        memcpy(in.p.u, r->step.u, sizeof in.p.u);
        in.p.move[0] = (struct ipc_move){.vm = "v1", .from = "h1", .to = "h2", .power_w = 9, .gain_w = 1};
        in.p.nmove = flags & FLAG_OTHER ? 1 : 0;
        fuzz_patch(in.bytes, sizeof in.p, patch, npatch);
        n -= flags & FLAG_SHORT ? 1 : 0;
        n += flags & FLAG_LONG ? 16 : 0;
        if (ipc_check(in.bytes, n, IPC_PROPOSAL, r->site->hash, &why) < 0) {
                MUST(why);
                gate_step_end(r->gate, NULL, true);
                return;
        }
        MUST(n == sizeof in.p && in.p.nu <= IPC_U_MAX && in.p.nmove <= IPC_MOVE_MAX);
        for (size_t i = 0; i < in.p.nmove; i++)
                MUST(memchr(in.p.move[i].vm, 0, 32) && memchr(in.p.move[i].from, 0, 32) &&
                     memchr(in.p.move[i].to, 0, 32));
        gate_step_end(r->gate, &in.p, false);
}

static void run_steps(struct rig *r, const uint8_t *data, size_t size)
{
        for (int k = 0; k < STEPS_MAX && size >= 2; k++) {
                unsigned flags = data[0];
                size_t n = data[1];
                data += 2;
                size -= 2;
                n = n < size ? n : size;
                advance(r, flags & FLAG_SENSORS_LOST);
                if (flags & FLAG_ABSENT)
                        gate_step_end(r->gate, NULL, false);
                else
                        answer(r, flags, data, n);
                finish_writes(r);
                struct gate_status st;
                gate_status(r->gate, &st);
                MUST(st.step == (uint64_t)k + STEPS_FIRST + 1 &&
                     (st.kind == DECISION_ACCEPT || st.kind == DECISION_PROJECT || st.kind == DECISION_HOLD ||
                      st.kind == DECISION_FALLBACK));
                data += n;
                size -= n;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct rig *r = calloc(1, sizeof *r);
        const char *why = NULL;
        MUST(r);
        uint8_t *raw = fuzz_copy(data, size);
        for (uint32_t kind = IPC_STEP; kind <= IPC_PROPOSAL; kind++)
                MUST(ipc_check(raw, size, kind, NULL, &why) == 0 || why);
        free(raw);
        r->site = annex();
        r->value = calloc(r->site->npoint, sizeof *r->value);
        MUST(r->value);
        for (size_t i = 0; i < r->site->npoint; i++)
                r->value[i] = plausible(r->site->point[i].role);
        clk_init_virtual(&r->clk, INT64_C(1752537600000));
        MUST(gate_create(&(struct gate_args){.site = r->site,
                                             .clk = &r->clk,
                                             .actuator = {on_write, r},
                                             .run_mode = "sim",
                                             .acting = true,
                                             .publish_move = on_move,
                                             .publish_ctx = r},
                         &r->gate) == 0);
        gate_vm_message(r->gate, "inventory", inventory, sizeof inventory - 1);
        for (int k = 0; k < STEPS_FIRST; k++) { /* until the heartbeat is echoed and setpoints may be written */
                advance(r, false);
                gate_step_end(r->gate, NULL, false);
                finish_writes(r);
        }
        run_steps(r, data, size);
        gate_free(r->gate);
        free(r->value);
        free(r);
        return 0;
}
