/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Which devices a site has, of which model, behind which port and unit id. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/registers_tables.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GATEWAY_UNITS 4 /* CRAHs behind one gateway */

static enum reg_model crah_model(const struct plant_spec *s, size_t i, size_t room)
{
        static const enum reg_model single[] = {MODEL_CRAH_A, MODEL_CRAH_A, MODEL_CRAH_B, MODEL_CRAH_C};
        static const enum reg_model by_room[] = {MODEL_CRAH_A, MODEL_CRAH_B, MODEL_CRAH_C};
        return s->nroom == 1 ? single[i % COUNT(single)] : by_room[room % COUNT(by_room)];
}

static void set_table(struct reg_device *d)
{
#define TABLE(t)                                                                                                       \
        do {                                                                                                           \
                d->reg = (t);                                                                                          \
                d->nreg = COUNT(t);                                                                                    \
        } while (0)
        switch (d->model) {
        case MODEL_CRAH_A:
                d->profile = "crah-a";
                d->holes_readable = true;
                TABLE(crah_a);
                break;
        case MODEL_CRAH_B:
                d->profile = "crah-b";
                TABLE(crah_b);
                break;
        case MODEL_CRAH_C:
                d->profile = "crah-c";
                d->holes_readable = true;
                TABLE(crah_c);
                break;
        case MODEL_CHILLER_A:
                d->profile = "chiller-a";
                d->holes_readable = true;
                TABLE(chiller_a);
                break;
        case MODEL_CHILLER_B:
                d->profile = "chiller-b";
                TABLE(chiller_b);
                break;
        case MODEL_PLANT:
                d->holes_readable = true;
                TABLE(plant_ctl);
                break;
        case MODEL_HUB:
                break;
        }
#undef TABLE
}

/* A hub of rack sensors: three temperatures a rack, in the number format of its room, then the room's dew point. */
static int hub_table(struct registers *r, struct reg_device *d, size_t nrack)
{
        static const struct {
                enum reg_type type;
                enum reg_order order;
                double scale;
        } format[] = {{REG_INT16, REG_AB, 0.1}, {REG_UINT16, REG_AB, 0.01}, {REG_FLOAT32, REG_ABCD, 1}};
        static const struct {
                const char *row, *brick;
                enum quantity q;
        } sensor[] = {{"inlet_temp_top", "Intake_Air_Temperature_Sensor", Q_RACK_INLET},
                      {"inlet_temp_low", "Intake_Air_Temperature_Sensor", Q_RACK_INLET_LOW},
                      {"outlet_temp", "Exhaust_Air_Temperature_Sensor", Q_RACK_OUTLET}};
        size_t f = d->zone % COUNT(format);
        unsigned width = format[f].type == REG_FLOAT32 ? 2 : 1;
        struct reg *t = calloc(nrack * COUNT(sensor) + 1, sizeof(*t));
        if (!t)
                return -ENOMEM;
        for (size_t k = 0; k < nrack; k++)
                for (size_t s = 0; s < COUNT(sensor); s++)
                        /* four slots a rack, one in reserve */
                        t[k * COUNT(sensor) + s] = (struct reg){sensor[s].row,
                                                                sensor[s].brick,
                                                                sensor[s].q,
                                                                false,
                                                                (uint16_t)((4 * k + s) * width),
                                                                format[f].type,
                                                                format[f].order,
                                                                format[f].scale,
                                                                REG_DEGC,
                                                                NULL,
                                                                k};
        t[nrack * COUNT(sensor)] = (struct reg){"dewpoint",
                                                "Dewpoint_Sensor",
                                                Q_ROOM_DEWPOINT,
                                                false,
                                                (uint16_t)(4 * nrack * width),
                                                REG_INT16,
                                                REG_AB,
                                                0.1,
                                                REG_DEGC,
                                                NULL,
                                                0};
        d->reg = t;
        d->nreg = nrack * COUNT(sensor) + 1;
        r->owned[r->nowned++] = t;
        return 0;
}

static struct reg_device *add_device(struct registers *r, enum reg_model model, const char *name, size_t index)
{
        struct reg_device *d = &r->device[r->ndevice++];
        *d = (struct reg_device){.model = model, .index = index, .unit_id = 1};
        registers_fault_clear(d);
        if (index == SIZE_MAX) {
                snprintf(d->name, sizeof(d->name), "%s", name);
                d->index = 0;
        } else
                snprintf(d->name, sizeof(d->name), "%s-%zu", name, index + 1);
        set_table(d);
        return d;
}

static void add_crahs(struct registers *r)
{
        const struct plant_spec *s = &r->spec;
        for (size_t i = 0; i < s->ncrah; i++) {
                size_t room = i * s->nroom / s->ncrah;
                const struct reg_device *prev = &r->device[r->ndevice - 1];
                struct reg_device *d = add_device(r, crah_model(s, i, room), "crah", i);
                bool joins = i > 0 && d->model != MODEL_CRAH_B && prev->model == d->model && prev->zone == room &&
                             prev->unit_id < GATEWAY_UNITS;
                d->zone = room;
                d->supervised = true;
                d->dev = PLANT_DEV_CRAH;
                d->port = joins ? prev->port : (uint16_t)r->nport++;
                d->unit_id = joins ? (uint8_t)(prev->unit_id + 1) : 1;
        }
}

int registers_create(const struct plant_spec *spec, struct plant *p, struct registers **ret)
{
        struct registers *r = calloc(1, sizeof(*r));
        size_t first = 0;
        int err = -ENOMEM;

        if (!r)
                return -ENOMEM;
        r->spec = *spec;
        r->plant = p;
        r->device = calloc(spec->nroom + spec->ncrah + spec->nchiller + 1, sizeof(*r->device));
        r->owned = calloc(spec->nroom + 1, sizeof(*r->owned)); /* NOLINT(bugprone-sizeof-expression): of pointers */
        if (!r->device || !r->owned)
                goto fail;
        for (size_t room = 0; room < spec->nroom; room++) {
                size_t n = 0;
                struct reg_device *d = add_device(r, MODEL_HUB, "sensors", room);
                while (first + n < spec->nrack && (first + n) * spec->nroom / spec->nrack == room)
                        n++;
                d->zone = room;
                d->index = first;
                d->port = (uint16_t)r->nport++;
                d->holes_readable = room % 2 == 0;
                err = hub_table(r, d, n);
                if (err < 0)
                        goto fail;
                first += n;
        }
        add_crahs(r);
        for (size_t i = 0; i < spec->nchiller; i++) {
                struct reg_device *d = add_device(r, i % 2 ? MODEL_CHILLER_B : MODEL_CHILLER_A, "chiller", i);
                d->supervised = true;
                d->dev = PLANT_DEV_CHILLER;
                d->port = (uint16_t)r->nport++;
        }
        struct reg_device *d = add_device(r, MODEL_PLANT, "plant", SIZE_MAX);
        d->supervised = true;
        d->dev = PLANT_DEV_PLANT;
        d->port = (uint16_t)r->nport++;
        *ret = r;
        return 0;
fail:
        registers_free(r);
        return err;
}

struct registers *registers_free(struct registers *r)
{
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->ndevice; i++)
                registers_fault_clear(&r->device[i]);
        for (size_t i = 0; i < r->nowned; i++)
                free(r->owned[i]);
        free(r->owned);
        free(r->device);
        free(r);
        return NULL;
}
