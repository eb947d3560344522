/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Commanding the plant as a remote supervisor does: leases held, commands written before every step, which is well
 * inside the plant's watchdog. */
#include <math.h>

#include "sim/yardstick.h"

/* b1, found by `coolplane-sim tune --controller b1`. */
const struct yard_pid yard_pid_tuned = {.offset_k = 6.0, .dp_pa = 2.7};

void yard_advance(struct plant *p, double hours)
{
        const int64_t end = plant_t_ms(p) + llround(hours * 3600e3);

        while (plant_t_ms(p) < end)
                plant_advance(p, fmin(YARD_STEP_S, (double)(end - plant_t_ms(p)) / 1000.0));
}

void yard_command_uniform(const struct plant_spec *spec, double sat_c, double fan_ratio, double chwst_c, double cwst_c,
                          uint32_t chillers, struct yard_command *ret)
{
        *ret = (struct yard_command){.chwst_c = chwst_c, .cwst_c = cwst_c, .chillers = chillers};
        for (size_t i = 0; i < spec->ncrah; i++) {
                ret->sat_c[i] = sat_c;
                ret->fan_ratio[i] = fan_ratio;
        }
}

static void beat(struct plant *p, enum plant_dev dev, size_t n)
{
        const uint16_t counter = (uint16_t)(plant_t_ms(p) / 1000 + 1);

        for (size_t i = 0; i < n; i++) {
                plant_remote_enable(p, dev, i, true);
                plant_heartbeat(p, dev, i, counter);
        }
}

void yard_hold(struct plant *p, const struct yard_command *cmd, double hours)
{
        const struct plant_spec *s = plant_spec(p);
        const int64_t end = plant_t_ms(p) + llround(hours * 3600e3);

        while (plant_t_ms(p) < end) {
                beat(p, PLANT_DEV_CRAH, s->ncrah);
                beat(p, PLANT_DEV_CHILLER, s->nchiller);
                beat(p, PLANT_DEV_PLANT, 1);
                for (size_t i = 0; i < s->ncrah; i++)
                        *plant_crah_cmd(p, i) =
                            (struct plant_crah_cmd){.sat_sp_c = cmd->sat_c[i], .fan_ratio = cmd->fan_ratio[i]};
                for (size_t i = 0; i < s->nchiller; i++)
                        plant_chiller_cmd(p, i)->enable = (cmd->chillers >> i & 1u) != 0;
                *plant_water_cmd(p) = (struct plant_water_cmd){.chwst_sp_c = cmd->chwst_c, .cwst_sp_c = cmd->cwst_c};
                plant_advance(p, fmin(YARD_STEP_S, (double)(end - plant_t_ms(p)) / 1000.0));
        }
}

/* Lazic et al. 2018, the baseline: each unit holds its leaving air at a constant offset from its entering water and the
 * floor pressure by its fan; without a reading the loop holds what it had. It sees nothing else; water and staging stay
 * with the plant's fixed strategy. */
void yard_pid_advance(struct plant *p, const struct yard_pid *pid, double hours)
{
        const struct plant_spec *s = plant_spec(p);
        const int64_t end = plant_t_ms(p) + llround(hours * 3600e3);

        while (plant_t_ms(p) < end) {
                beat(p, PLANT_DEV_CRAH, s->ncrah);
                for (size_t i = 0; i < s->ncrah; i++) {
                        struct plant_crah_cmd *cmd = plant_crah_cmd(p, i);
                        struct plant_crah_meas m;

                        plant_crah_meas(p, i, &m);
                        if (isfinite(m.chw_in_c))
                                cmd->sat_sp_c = m.chw_in_c + pid->offset_k;
                        if (isfinite(m.dp_pa))
                                cmd->fan_ratio =
                                    fmin(fmax(cmd->fan_ratio + 0.05 * (pid->dp_pa - m.dp_pa) / pid->dp_pa, 0.3), 1.0);
                }
                plant_advance(p, fmin(YARD_STEP_S, (double)(end - plant_t_ms(p)) / 1000.0));
        }
}
