/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * Model file, little-endian: "CPMD", version u32, then u64 na nb step from to ny nu nd lag_max nterm json_len arx_len
 * energy_len, 32 bytes of configuration hash, f64 of arx_args and capacity, row starts, terms, scales, report (JSON),
 * ARX blob, energy blob, since version 2 u64 refit, samples and sum of the log, CRC-32 of all that. Read as a whole and
 * checked before anything is made of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/parse.h"
#include "agent/planner/train.h"
#include "models/num/bytes.h"

enum { VERSION_UNTOLD = 1, VERSION_TOLD };
#define TAIL_BYTES 24
#define HEAD_U64 13
#define HEAD_F64 7
#define HEAD_BYTES (8 + 8 * HEAD_U64 + 32 + 8 * HEAD_F64)
#define FILE_MAX ((size_t)512 << 20)
#define ROWS_MAX 65536u
#define PATH_CAP 1024

enum { H_NA, H_NB, H_STEP, H_FROM, H_TO, H_NY, H_NU, H_ND, H_LAG, H_NTERM, H_JSON, H_ARX, H_ENERGY };

struct train_file *train_file_free(struct train_file *f)
{
        if (f) {
                model_free(f->model);
                free(f->energy_mem);
                free(f->report_json);
                free(f);
        }
        return NULL;
}

static uint8_t *put_structure(uint8_t *p, const struct arx_structure *st)
{
        for (size_t i = 0; i <= st->ny; i++)
                p = bytes_put(p, st->row_start[i], 8);
        for (size_t k = 0; k < st->nterm; k++) {
                const struct arx_term *t = &st->term[k];
                p = bytes_put(p, t->src, 1);
                p = bytes_put(p, t->lag, 1);
                p = bytes_put(p, t->sum1, 1);
                p = bytes_put(p, (uint8_t)t->sign, 1);
                p = bytes_put(p, t->index, 2);
        }
        return bytes_put_f64(p, st->scale, st->nterm);
}

static size_t encode(const struct train_file *f, uint8_t **ret)
{
        const struct arx_structure *st = f->model->structure;
        size_t json_len = f->report_json ? strlen(f->report_json) : 0;
        size_t arx_len = arx_save(f->model->arx, NULL, 0), energy_len = f->energy ? energy_save(f->energy, NULL, 0) : 0;
        size_t len = HEAD_BYTES + 8 * (st->ny + 1) + 14 * st->nterm + json_len + arx_len + energy_len + 4 +
                     (f->told ? TAIL_BYTES : 0);
        uint8_t *buf = malloc(len), *p = buf;
        if (!buf)
                return 0;
        memcpy(p, TRAIN_FILE_BEGINS, 4);
        p = bytes_put(p + 4, f->told ? VERSION_TOLD : VERSION_UNTOLD, 4);
        const uint64_t head[HEAD_U64] = {[H_NA] = f->na,
                                         [H_NB] = f->nb,
                                         [H_STEP] = (uint64_t)f->step_ms,
                                         [H_FROM] = (uint64_t)f->from_ms,
                                         [H_TO] = (uint64_t)f->to_ms,
                                         [H_NY] = st->ny,
                                         [H_NU] = st->nu,
                                         [H_ND] = st->nd,
                                         [H_LAG] = st->lag_max,
                                         [H_NTERM] = st->nterm,
                                         [H_JSON] = json_len,
                                         [H_ARX] = arx_len,
                                         [H_ENERGY] = energy_len};
        for (size_t k = 0; k < HEAD_U64; k++)
                p = bytes_put(p, head[k], 8);
        memcpy(p, f->config_hash, 32);
        const double num[HEAD_F64] = {f->arx_args.ridge,      f->arx_args.forget, f->arx_args.delta,
                                      f->arx_args.w_quantile, f->arx_args.w_min,  (double)f->arx_args.set,
                                      f->capacity_w};
        p = bytes_put_f64(p + 32, num, HEAD_F64);
        p = put_structure(p, st);
        if (json_len)
                memcpy(p, f->report_json, json_len);
        p += json_len;
        p += arx_save(f->model->arx, p, arx_len);
        if (energy_len)
                p += energy_save(f->energy, p, energy_len);
        if (f->told) {
                p = bytes_put(p, f->refit, 8);
                p = bytes_put(p, f->log_samples, 8);
                p = bytes_put(p, f->log_sum, 8);
        }
        (void)bytes_put(p, bytes_crc32(buf, len - 4), 4);
        *ret = buf;
        return len;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
        while (n > 0) {
                ssize_t w = write(fd, p, n);
                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0)
                        return -errno;
                p += w;
                n -= (size_t)w;
        }
        return fsync(fd) < 0 ? -errno : 0;
}

int train_file_write(const char *path, const struct train_file *f)
{
        char tmp[PATH_CAP];
        int n = snprintf(tmp, sizeof tmp, "%s.new", path);
        if (n < 0 || (size_t)n >= sizeof tmp)
                return -ENAMETOOLONG;
        uint8_t *buf = NULL;
        size_t len = encode(f, &buf);
        if (!len)
                return -ENOMEM;
        int r, fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (fd < 0) {
                r = -errno;
                goto out;
        }
        r = write_all(fd, buf, len);
        if (close(fd) < 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(tmp, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(tmp);
out:
        free(buf);
        return r;
}

static int read_file(const char *path, uint8_t **ret_buf, size_t *ret_len)
{
        int r = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ENOENT : -EIO;
        size_t cap = 1 << 16, len = 0;
        uint8_t *buf = malloc(cap);
        for (ssize_t got = 1; buf && got > 0;) {
                if (len == cap) {
                        uint8_t *more = cap < FILE_MAX ? realloc(buf, cap *= 2) : NULL;
                        if (!more) {
                                r = -EBADMSG;
                                break;
                        }
                        buf = more;
                }
                got = read(fd, buf + len, cap - len);
                if (got < 0 && errno == EINTR)
                        got = 1;
                else if (got < 0)
                        r = -EIO;
                else
                        len += (size_t)got;
        }
        (void)close(fd);
        if (!buf)
                return -ENOMEM;
        if (r < 0) {
                free(buf);
                return r;
        }
        *ret_buf = buf;
        *ret_len = len;
        return 0;
}

/* Structure in one block, as layout_arx_structure gives it: free() releases all. */
static struct arx_structure *get_structure(const uint64_t *head, const uint8_t *p)
{
        size_t ny = (size_t)head[H_NY], nterm = (size_t)head[H_NTERM];
        size_t at_scale = sizeof(struct arx_structure), at_start = at_scale + nterm * sizeof(double);
        size_t at_term = at_start + (ny + 1) * sizeof(size_t);
        char *block = malloc(at_term + nterm * sizeof(struct arx_term));
        if (!block)
                return NULL;
        struct arx_structure *st = (void *)block;
        double *scale = (void *)(block + at_scale);
        size_t *row_start = (void *)(block + at_start);
        struct arx_term *term = (void *)(block + at_term);
        for (size_t i = 0; i <= ny; i++, p += 8)
                row_start[i] = (size_t)bytes_get(p, 8);
        for (size_t k = 0; k < nterm; k++, p += 6)
                term[k] = (struct arx_term){.src = p[0],
                                            .lag = p[1],
                                            .sum1 = p[2],
                                            .sign = (int8_t)p[3],
                                            .index = (uint16_t)bytes_get(p + 4, 2)};
        (void)bytes_get_f64(p, scale, nterm);
        *st = (struct arx_structure){.ny = ny,
                                     .nu = (size_t)head[H_NU],
                                     .nd = (size_t)head[H_ND],
                                     .lag_max = (unsigned)head[H_LAG],
                                     .nterm = nterm,
                                     .row_start = row_start,
                                     .term = term,
                                     .scale = scale};
        return st;
}

/* Lengths plausible and adding up to the file. */
static bool head_acceptable(const uint64_t *head, size_t tail, size_t len)
{
        for (size_t k = 0; k < HEAD_U64; k++)
                if (k != H_FROM && k != H_TO && head[k] > FILE_MAX)
                        return false;
        if (head[H_STEP] == 0 || head[H_NA] == 0 || head[H_NA] > 255 || head[H_NB] > 255)
                return false;
        if (head[H_NY] > ROWS_MAX || head[H_NU] > ROWS_MAX || head[H_ND] > ROWS_MAX || head[H_LAG] > 255 ||
            head[H_NTERM] > head[H_NY] * ARX_TERMS_MAX)
                return false;
        return len == HEAD_BYTES + 8 * (head[H_NY] + 1) + 14 * head[H_NTERM] + head[H_JSON] + head[H_ARX] +
                          head[H_ENERGY] + tail + 4;
}

static int decode(const uint8_t *buf, size_t len, struct train_file *f)
{
        const uint64_t version = len >= HEAD_BYTES + 4 ? bytes_get(buf + 4, 4) : 0;
        if (version == 0 || memcmp(buf, TRAIN_FILE_BEGINS, 4) != 0 ||
            (version != VERSION_UNTOLD && version != VERSION_TOLD) ||
            bytes_get(buf + len - 4, 4) != bytes_crc32(buf, len - 4))
                return -EBADMSG;
        uint64_t head[HEAD_U64];
        double num[HEAD_F64];
        const uint8_t *p = buf + 8;
        for (size_t k = 0; k < HEAD_U64; k++, p += 8)
                head[k] = bytes_get(p, 8);
        f->told = version == VERSION_TOLD;
        if (!head_acceptable(head, f->told ? TAIL_BYTES : 0, len))
                return -EBADMSG;
        if (f->told) {
                const uint8_t *tail = buf + len - 4 - TAIL_BYTES;
                if (bytes_get(tail, 8) > 1)
                        return -EBADMSG;
                f->refit = bytes_get(tail, 8) == 1;
                f->log_samples = bytes_get(tail + 8, 8);
                f->log_sum = bytes_get(tail + 16, 8);
        }
        f->na = (unsigned)head[H_NA];
        f->nb = (unsigned)head[H_NB];
        f->step_ms = (int64_t)head[H_STEP];
        f->from_ms = (int64_t)head[H_FROM];
        f->to_ms = (int64_t)head[H_TO];
        memcpy(f->config_hash, p, 32);
        p = bytes_get_f64(p + 32, num, HEAD_F64);
        if (!(num[5] == (double)ARX_SET_SELF_NORMALISED || num[5] == (double)ARX_SET_ASYMPTOTIC))
                return -EBADMSG;
        f->arx_args = (struct arx_args){.ridge = num[0],
                                        .forget = num[1],
                                        .delta = num[2],
                                        .w_quantile = num[3],
                                        .w_min = num[4],
                                        .set = (enum arx_set)num[5]};
        f->capacity_w = num[6];
        if (!(f->capacity_w >= 0 && f->capacity_w < 1e12)) /* 0: none; the upper end is energy_create's */
                return -EBADMSG;

        f->model = calloc(1, sizeof *f->model);
        if (!f->model || !(f->model->structure = get_structure(head, p)))
                return -ENOMEM;
        p += 8 * (head[H_NY] + 1) + 14 * head[H_NTERM];
        f->report_json = malloc(head[H_JSON] + 1);
        if (!f->report_json)
                return -ENOMEM;
        memcpy(f->report_json, p, head[H_JSON]);
        f->report_json[head[H_JSON]] = '\0';
        if (strlen(f->report_json) != head[H_JSON])
                return -EBADMSG;
        p += head[H_JSON];

        /* row starts are checked by arx_create, but arx_memsize walks them first */
        const struct arx_structure *st = f->model->structure;
        for (size_t i = 0; i < st->ny; i++)
                if (st->row_start[i + 1] < st->row_start[i] || st->row_start[i + 1] > st->nterm)
                        return -EBADMSG;
        size_t size = arx_memsize(st);
        f->model->mem = aligned_alloc(16, (size + 15) / 16 * 16);
        if (!f->model->mem)
                return -ENOMEM;
        if (arx_create(f->model->mem, size, st, &f->arx_args, NULL, NULL, &f->model->arx) ||
            arx_load(f->model->arx, p, head[H_ARX]))
                return -EBADMSG;
        p += head[H_ARX];
        if (head[H_ENERGY] == 0)
                return 0;
        f->energy_mem = aligned_alloc(16, energy_memsize());
        if (!f->energy_mem)
                return -ENOMEM;
        if (energy_create(f->energy_mem, energy_memsize(), 0, f->capacity_w, &f->energy) ||
            energy_load(f->energy, p, head[H_ENERGY]))
                return -EBADMSG;
        return 0;
}

int train_file_read(const char *path, struct train_file **ret)
{
        uint8_t *buf = NULL;
        size_t len = 0;
        int r = read_file(path, &buf, &len);
        if (r < 0)
                return r;
        struct train_file *f = calloc(1, sizeof *f);
        r = f ? decode(buf, len, f) : -ENOMEM;
        free(buf);
        if (r < 0)
                train_file_free(f);
        else
                *ret = f;
        return r;
}

/* --- report ------------------------------------------------------------------------------------------------------- */

static void put_number(FILE *out, const char *name, double v)
{
        char buf[32];
        fprintf(out, "\"%s\":%s", name, isfinite(v) ? format_double(v, buf) : "null");
}

void train_report_json(FILE *out, const struct train_report *r, const struct energy *e)
{
        static const char *const kind[TRAIN_KINDS] = {[Y_INLET] = "inlet", [Y_SAT] = "sat", [Y_VALVE] = "valve"};
        static const char *const horizon[TRAIN_HORIZONS] = {"1", "5min", "15min"};
        fprintf(out,
                "{\"rows\":%zu,\"steps\":%zu,\"from_ms\":%lld,\"split_ms\":%lld,\"to_ms\":%lld,\"refitted\":%s,"
                "\"holdout\":{",
                r->rows, r->pairs, (long long)r->from_ms, (long long)r->split_ms, (long long)r->to_ms,
                r->refitted ? "true" : "false");
        bool first = true;
        for (size_t k = 0; k < TRAIN_KINDS; k++) {
                if (!r->kind[k].outputs)
                        continue;
                fprintf(out, "%s\"%s\":{\"unit\":\"%s\",\"outputs\":%zu,\"fitted\":%zu", first ? "" : ",", kind[k],
                        k == Y_VALVE ? "ratio" : "K", r->kind[k].outputs, r->kind[k].fitted);
                first = false;
                for (size_t h = 0; h < TRAIN_HORIZONS; h++) {
                        char name[32];
                        const struct train_error *err = &r->kind[k].h[h];
                        fprintf(out, ",\"n_%s\":%zu,", horizon[h], err->n);
                        snprintf(name, sizeof name, "rmse_%s", horizon[h]);
                        put_number(out, name, err->held);
                        snprintf(name, sizeof name, "rmse_planned_%s", horizon[h]);
                        fputc(',', out);
                        put_number(out, name, err->planned);
                        snprintf(name, sizeof name, "rmse_known_inputs_%s", horizon[h]);
                        fputc(',', out);
                        put_number(out, name, err->known);
                        snprintf(name, sizeof name, "persistence_%s", horizon[h]);
                        fputc(',', out);
                        put_number(out, name, err->persistence);
                }
                fputc('}', out);
        }
        fputs("},\"energy\":", out);
        if (e) {
                struct energy_info info;
                energy_info(e, &info);
                fprintf(out, "{\"samples\":%zu,", info.samples);
                put_number(out, "cv_rmse_ratio", info.cv_rmse_ratio);
                fputc(',', out);
                put_number(out, "nmbe_ratio", info.nmbe_ratio);
                fputc('}', out);
        } else {
                fputs("null", out);
        }
        fputc('}', out);
}
