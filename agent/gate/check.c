/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Would the gate take this site? What site_load cannot know: the layout's sizes, the safety envelope. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/gate/envelope.h"
#include "agent/gate/ipc.h"

/* What safety_u_check found, in the words of a point map. */
static const char *envelope_words(const char *what)
{
        static const struct {
                const char *what, *words;
        } words[] = {
            {"u.lo", "no value is left between its min..max and the site's limits"},
            {"u.origin", "no count of the register lies between its min..max and the site's limits"},
            {"u.nominal", "its default lies outside its limits"},
            {"u.rate", "one count of the register is more than the largest step allowed (max_step, limits)"},
            {"u.safe_dir", "safe_dir of an on/off command must be +"},
            {"u.unseen", "safe_dir of a chilled-water setpoint must be -"},
            {"u.max_starts_per_h", "max_starts_per_h of its equipment is not from 1 to 16"},
            {"u.backup_rate", "min and max leave nothing to command"},
        };

        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
                if (strcmp(what, words[i].what) == 0)
                        return words[i].words;
        return what;
}

static void tell_envelope(const struct layout *l, const struct safety_envelope *env, const char *what, size_t index,
                          struct site_errors *e)
{
        const struct point *cw, *chw;
        const struct safety_lift *lift;
        char do_k[64], surge[48] = "";
        double coldest_k;

        if (strncmp(what, "lift.", 5) != 0) {
                site_errors_add(e, l->site, 0, 0, "safety envelope: %s of entry %zu", what, index);
                return;
        }
        cw = &l->site->point[l->u[env->lift[index].cw].point];
        chw = &l->site->point[l->u[env->lift[index].chw].point];
        lift = &env->lift[index];
        coldest_k = env->u[lift->cw].lo - env->u[lift->chw].lo;
        if (strcmp(what, "lift.min_k") == 0)
                (void)snprintf(do_k, sizeof do_k, "min_lift_k of %g or less",
                               fmin(lift->max_k, env->u[lift->cw].hi - env->u[lift->chw].lo));
        else if (strcmp(what, "lift.max_k") == 0)
                (void)snprintf(do_k, sizeof do_k, "max_lift_k of %g or more", coldest_k);
        else
                (void)snprintf(do_k, sizeof do_k, "surge_lift_k of %g or more", fmax(lift->min_k, coldest_k));
        if (lift->surge_less_k > 0)
                (void)snprintf(surge, sizeof surge, " (surge_lift_k %g)", lift->max_k - lift->surge_less_k);
        site_errors_add(e, l->site, cw->file, cw->line,
                        "'%s' and '%s': with the chillers' min_lift_k %g and max_lift_k %g%s the coldest chilled water "
                        "is out of reach, or no pair of setpoints is left: a %s would do",
                        cw->name, chw->name, lift->min_k, lift->max_k, surge, do_k);
}

static void check_size(const struct layout *l, struct site_errors *e, const char *what, size_t n, size_t most)
{
        if (n > most)
                site_errors_add(e, l->site, 0, 0, "%zu %s: more than the %zu the gate can carry", n, what, most);
}

/* What a site lacks as a whole: only where no row was left out. */
static int check_whole(const struct layout *l, struct site_errors *e)
{
        struct arx_structure *st = NULL;
        int r = 0;

        if (l->ny == 0)
                site_errors_add(e, l->site, 0, 0,
                                "no rack inlet and no supply air temperature: there is nothing to predict or to keep");
        else if ((r = layout_arx_structure(l, 1, 1, &st)) < 0 && r != -ENOMEM)
                site_errors_add(e, l->site, 0, 0, "no model can be laid out for this site: %s", strerror(-r));
        free(st);
        return r == -ENOMEM ? r : 0;
}

/* What is taken, but does less than whoever wrote the map may think. */
static void warn_envelope(const struct layout *l, const struct gate_envelope *env, struct site_errors *e)
{
        if (l->nu > 0 && env->safety.ncert == 0) {
                const struct point *p = &l->site->point[l->u[0].point];

                site_errors_warn(e, l->site, p->file, p->line,
                                 "'%s'%s: nothing can be commanded: no rack inlet, and no supply air of an air handler "
                                 "that is commanded",
                                 p->name, l->nu > 1 ? " and the other commands" : "");
                return;
        }
        for (size_t j = 0; j < l->nu; j++) {
                const struct point *p = &l->site->point[l->u[j].point];

                if (env->u[j].unseen)
                        site_errors_warn(e, l->site, p->file, p->line,
                                         "'%s': no model row sees what it does: it is never warmer than its default "
                                         "(or than it is)%s",
                                         p->name,
                                         isnan(p->default_value) ? "; it has no default, so it can only fall" : "");
        }
}

static int check_envelope(const struct layout *l, bool whole, struct site_errors *e)
{
        struct gate_envelope env;
        const char *what;
        size_t index;
        int r = gate_envelope_build(l, &env);

        if (r < 0)
                return r;
        const bool watches = whole && (l->nu == 0 || env.safety.ncert == 0); /* and commands nothing */
        for (size_t j = 0; j < l->nu && !watches; j++) {
                const struct point *p = &l->site->point[l->u[j].point];

                what = safety_u_check(&env.u[j]);
                if (what)
                        site_errors_add(e, l->site, p->file, p->line, "'%s' cannot be commanded: %s", p->name,
                                        envelope_words(what));
        }
        if (!watches && site_errors_count(e) == 0 && safety_envelope_validate(&env.safety, &what, &index) < 0)
                tell_envelope(l, &env.safety, what, index, e);
        if (whole)
                warn_envelope(l, &env, e);
        gate_envelope_free(&env);
        return 0;
}

int gate_check_site(const struct site *site, struct site_errors *e)
{
        const bool whole = site_errors_count(e) == 0;
        struct layout *l = NULL;
        int r = layout_create(site, &l);

        if (r < 0)
                return r;
        check_size(l, e, "command points", l->nu, IPC_U_MAX);
        check_size(l, e, "controlled readings", l->ny, IPC_Y_MAX);
        check_size(l, e, "measured disturbances", l->nd, IPC_D_MAX);
        if (whole)
                r = check_whole(l, e);
        if (r == 0)
                r = check_envelope(l, whole, e);
        layout_free(l);
        return r;
}
