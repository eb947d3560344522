/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "sim/certify_command.h"

enum { TOLD_MAX = 20 }; /* violations printed; the rest is counted */

/* Sum over some episodes. */
struct sum {
        uint64_t episodes, episodes_outside, episodes_failed, first_certified;
        double hottest_c, out_k, margin_k, margin_min_k;
        struct certify_result r; /* only its counters */
};

static void add(struct sum *s, const struct certify_result *r)
{
        struct certify_result *t = &s->r;

        s->episodes++;
        s->episodes_outside += r->hard_outside > 0;
        s->episodes_failed += certify_failed(r);
        s->first_certified += r->first_certified;
        s->hottest_c = s->episodes == 1 ? r->hottest_c : fmax(s->hottest_c, r->hottest_c);
        s->margin_min_k = s->episodes == 1 ? r->margin_min_k : fmin(s->margin_min_k, r->margin_min_k);
        s->out_k = fmax(s->out_k, r->out_k);
        s->margin_k += r->margin_sum_k;
        t->steps += r->steps;
        for (size_t k = 0; k < 4; k++)
                t->kind_steps[k] += r->kind_steps[k];
        for (size_t k = 0; k < CERTIFY_REASONS; k++)
                t->reason_steps[k] += r->reason_steps[k];
        t->certified += r->certified;
        t->terminal += r->terminal;
        t->hard += r->hard;
        t->hard_outside += r->hard_outside;
        t->hard_covered += r->hard_covered;
        certify_illegal_add(&t->illegal, &r->illegal);
        t->unfounded += r->unfounded;
        t->out += r->out;
        t->within += r->within;
        t->over += r->over;
        t->no_set += r->no_set;
        t->no_anchor += r->no_anchor;
        t->no_first += r->no_first;
        t->no_sum += r->no_sum;
        t->resets += r->resets;
        t->judged += r->judged;
        t->cut += r->cut;
        t->cut_robust += r->cut_robust;
        t->judged_late += r->judged_late;
        t->cut_late += r->cut_late;
        certify_time_merge(&t->time, &r->time);
        certify_time_merge(&t->cpu, &r->cpu);
}

static double percent(uint64_t part, uint64_t all)
{
        return all > 0 ? 100 * (double)part / (double)all : 0;
}

static uint64_t illegal_all(const struct certify_illegal *n)
{
        return n->not_finite + n->box + n->rate + n->grid + n->automaton + n->full;
}

/* Sum of the episodes of this plant, noise and proposer; −1 = any. */
static struct sum sum_of(const struct certify_report *r, int plant, int noise, int proposer)
{
        struct sum s = {0};

        for (size_t i = 0; i < r->n; i++) {
                const struct certify_kinds *k = &r->episode[i].kind;

                if ((plant < 0 || (int)k->plant == plant) && (noise < 0 || (int)k->noise == noise) &&
                    (proposer < 0 || (int)k->proposer == proposer))
                        add(&s, &r->episode[i]);
        }
        return s;
}

static void print_row(FILE *f, const char *a, const char *b, const struct sum *s)
{
        const struct certify_result *t = &s->r;

        if (s->episodes == 0)
                return;
        fprintf(f,
                "%-11s %-11s %8" PRIu64 " %6.1f %6.1f %6.1f %6.1f %6" PRIu64 " %7" PRIu64 " %6" PRIu64 " %7.3f %7.3f "
                "%7.4f %6.2f\n",
                a, b, s->episodes, percent(t->certified, t->steps), percent(t->kind_steps[DECISION_PROJECT], t->steps),
                percent(t->kind_steps[DECISION_HOLD], t->steps), percent(t->kind_steps[DECISION_FALLBACK], t->steps),
                t->hard, t->hard_outside, t->within, percent(t->out, t->certified), s->out_k,
                percent(t->over, t->certified), s->hottest_c);
}

static void print_table(FILE *f, const struct certify_report *r)
{
        fprintf(
            f,
            "                                    certi- pro-          fall-    hard violations   bound broken, %% of "
            "certificates    hottest\n"
            "plant       noise       episodes  fied %% ject %% hold %% back %%  claim outside  claim outside  by "
            "K  limit %%     °C\n");
        for (int p = 0; p < CERTIFY_PLANTS; p++)
                for (int w = 0; w < CERTIFY_NOISES; w++) {
                        const struct sum s = sum_of(r, p, w, -1);

                        print_row(f, certify_plant_name[p], certify_noise_name[w], &s);
                }
        fprintf(f, "proposer\n");
        for (int p = 0; p < CERTIFY_PROPOSERS; p++) {
                const struct sum s = sum_of(r, -1, -1, p);

                print_row(f, certify_proposer_name[p], "", &s);
        }
}

static void print_time(FILE *f, const char *what, const struct certify_time *t, uint64_t n)
{
        fprintf(f, "%s: mean %.1f us, p99 %.0f us, max %.0f us\n", what, n > 0 ? 1e6 * t->sum_s / (double)n : 0,
                1e6 * certify_time_quantile(t, 0.99), 1e6 * t->max_s);
}

static void print_episodes(FILE *f, const struct certify_report *r)
{
        size_t told = 0;

        for (size_t i = 0; i < r->n && told < TOLD_MAX; i++) {
                const struct certify_result *e = &r->episode[i];

                if (!e->first[0])
                        continue;
                fprintf(f, "%s: --seed %" PRId64 " --first-episode %" PRIu64 " (%s, %s, %s, %s) %s\n",
                        certify_failed(e) ? "VIOLATION" : "outside the claim's assumptions", r->options->seed,
                        e->number, certify_plant_name[e->kind.plant], certify_noise_name[e->kind.noise],
                        certify_load_name[e->kind.load], certify_proposer_name[e->kind.proposer], e->first);
                told++;
        }
}

static void print_sums(FILE *f, const struct sum *s)
{
        const struct certify_result *t = &s->r;

        fprintf(f,
                "claim: %" PRIu64 " hard violations, %" PRIu64 " certificates broken although all they assume held, "
                "%" PRIu64 " moves to less cooling without a certificate,\n"
                "       %" PRIu64 " illegal values (not finite %" PRIu64 ", box %" PRIu64 ", rate %" PRIu64
                ", grid %" PRIu64 ", equipment %" PRIu64 ", not full %" PRIu64 ") in %" PRIu64 " steps\n",
                t->hard, t->within, t->unfounded, illegal_all(&t->illegal), t->illegal.not_finite, t->illegal.box,
                t->illegal.rate, t->illegal.grid, t->illegal.automaton, t->illegal.full, t->steps);
        fprintf(f,
                "apart: %" PRIu64 " hard violations in %" PRIu64
                " episodes while an assumption of the last certificate "
                "did not hold\n",
                t->hard_outside, s->episodes_outside);
        fprintf(
            f,
            "certificates: %" PRIu64 "; of these plant outside the learned set %.2f %%, window noise %.2f %%, noise "
            "of the first step %.2f %%, of later steps %.2f %% beyond what they count; model rows begun anew: %" PRIu64
            "\n",
            t->certified, percent(t->no_set, t->certified), percent(t->no_anchor, t->certified),
            percent(t->no_first, t->certified), percent(t->no_sum, t->certified), t->resets);
        fprintf(f, "margin: mean %.2f K, least %.3f K; terminal %.1f %%\n",
                t->certified > 0 ? s->margin_k / (double)t->certified : 0, s->margin_min_k,
                percent(t->terminal, t->certified));
        fprintf(f,
                "sensible proposals changed: %.2f %% (%.2f %% by the worst case or for want of a certificate; %.2f %% "
                "after three hours)\n",
                percent(t->cut, t->judged), percent(t->cut_robust, t->judged), percent(t->cut_late, t->judged_late));
        fprintf(f, "reasons:");
        for (size_t k = 0; k < CERTIFY_REASONS; k++)
                if (t->reason_steps[k] > 0)
                        fprintf(f, " %s %.2f %%", decision_reason_str((enum decision_reason)k),
                                percent(t->reason_steps[k], t->steps));
        fprintf(f, "\n");
        print_time(f, "filter, wall", &t->time, t->steps);
        print_time(f, "filter, processor", &t->cpu, t->steps);
}

static void print_hostile(FILE *f, const struct certify_report *r)
{
        const struct certify_hostile *h = r->hostile;

        fprintf(f,
                "hostile: %" PRIu64 " proposals, %.0f a second; illegal values: %" PRIu64 " (not finite %" PRIu64
                ", box %" PRIu64 ", rate %" PRIu64 ", grid %" PRIu64 ", equipment %" PRIu64 ", not full %" PRIu64
                "); accept %.1f %%, "
                "project %.1f %%, hold %.1f %%, fallback %.1f %%\n",
                h->proposals, (double)h->proposals / r->hostile_s, illegal_all(&h->illegal), h->illegal.not_finite,
                h->illegal.box, h->illegal.rate, h->illegal.grid, h->illegal.automaton, h->illegal.full,
                percent(h->kind_steps[0], h->proposals), percent(h->kind_steps[1], h->proposals),
                percent(h->kind_steps[2], h->proposals), percent(h->kind_steps[3], h->proposals));
        print_time(f, "filter, wall", &h->time, h->proposals);
        if (h->first[0])
                fprintf(f, "VIOLATION: %s\n", h->first);
}

/* What is claimed of plants that do not drift: all of it must be 0. */
static void print_strict(FILE *f, const struct certify_report *r)
{
        struct sum s = {0};

        for (size_t i = 0; i < r->n; i++)
                if (r->episode[i].kind.plant != CERTIFY_DRIFT)
                        add(&s, &r->episode[i]);
        fprintf(f,
                "strict: set membership, all noise counted in every step\n"
                "of plants that do not drift: %" PRIu64 " certificates broken, %" PRIu64 " with the plant outside the "
                "learned set, %" PRIu64 " with more noise than counted; %" PRIu64 " rows begun anew\n",
                s.r.out, s.r.no_set, s.r.no_anchor + s.r.no_first + s.r.no_sum, s.r.resets);
}

void certify_print_text(FILE *f, const struct certify_report *r)
{
        if (r->options->broken != CERTIFY_INTACT)
                fprintf(f, "broken on purpose: %s\n", certify_break_name[r->options->broken]);
        if (r->options->strict)
                print_strict(f, r);
        if (r->n > 0) {
                const struct sum s = sum_of(r, -1, -1, -1);

                print_table(f, r);
                print_sums(f, &s);
                print_episodes(f, r);
        }
        if (r->hostile)
                print_hostile(f, r);
        if (r->outside_n > 0)
                certify_print_outside(f, r);
}

static json_t *json_count(uint64_t v)
{
        return json_integer((json_int_t)v);
}

static json_t *json_number(double v)
{
        return isfinite(v) ? json_real(v) : json_null();
}

static json_t *json_illegal(const struct certify_illegal *n)
{
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "not_finite", json_count(n->not_finite), "box",
                         json_count(n->box), "rate", json_count(n->rate), "grid", json_count(n->grid), "equipment",
                         json_count(n->automaton), "not_full", json_count(n->full));
}

static json_t *json_time(const struct certify_time *t, uint64_t n)
{
        return json_pack("{s:o, s:o, s:o}", "mean_us", json_number(n > 0 ? 1e6 * t->sum_s / (double)n : (double)NAN),
                         "p99_us", json_number(1e6 * certify_time_quantile(t, 0.99)), "max_us",
                         json_number(1e6 * t->max_s));
}

static json_t *json_assumptions(const struct certify_result *t)
{
        return json_pack("{s:o, s:o, s:o, s:o}", "outside_set", json_count(t->no_set), "window_noise",
                         json_count(t->no_anchor), "first_noise", json_count(t->no_first), "later_noise",
                         json_count(t->no_sum));
}

static json_t *json_reasons(const struct certify_result *t)
{
        json_t *o = json_object();

        for (size_t k = 0; k < CERTIFY_REASONS; k++)
                if (t->reason_steps[k] > 0)
                        (void)json_object_set_new(o, decision_reason_str((enum decision_reason)k),
                                                  json_count(t->reason_steps[k]));
        return o;
}

static json_t *json_sum(const struct sum *s)
{
        const struct certify_result *t = &s->r;
        json_t *o = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "episodes", json_count(s->episodes), "failed",
            json_count(s->episodes_failed), "steps", json_count(t->steps), "accept",
            json_count(t->kind_steps[DECISION_ACCEPT]), "project", json_count(t->kind_steps[DECISION_PROJECT]), "hold",
            json_count(t->kind_steps[DECISION_HOLD]), "fallback", json_count(t->kind_steps[DECISION_FALLBACK]),
            "hard_violations", json_count(t->hard), "hard_violations_outside_assumptions", json_count(t->hard_outside),
            "episodes_outside_assumptions", json_count(s->episodes_outside), "model_resets", json_count(t->resets));
        json_t *more = json_pack(
            "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "hard_violations_certified",
            json_count(t->hard_covered), "certificates", json_count(t->certified), "terminal", json_count(t->terminal),
            "certificates_broken_within_assumptions", json_count(t->within), "certificates_broken", json_count(t->out),
            "certificates_broken_beyond_limit", json_count(t->over), "broken_by_k", json_number(s->out_k),
            "assumption_failed", json_assumptions(t), "unfounded_moves", json_count(t->unfounded), "illegal",
            json_illegal(&t->illegal), "hottest_c", json_number(s->hottest_c), "margin_mean_k",
            json_number(t->certified > 0 ? s->margin_k / (double)t->certified : (double)NAN));

        if (o && more)
                (void)json_object_update(o, more);
        json_decref(more);
        if (o) {
                (void)json_object_set_new(o, "margin_least_k", json_number(s->margin_min_k));
                (void)json_object_set_new(o, "reasons", json_reasons(t));
                (void)json_object_set_new(o, "filter_wall", json_time(&t->time, t->steps));
                (void)json_object_set_new(o, "filter_processor", json_time(&t->cpu, t->steps));
                (void)json_object_set_new(
                    o, "first_certificate_step_mean",
                    json_number(s->episodes > 0 ? (double)s->first_certified / (double)s->episodes : (double)NAN));
        }
        return o;
}

static json_t *json_cells(const struct certify_report *r)
{
        json_t *list = json_array();

        for (int p = 0; p < CERTIFY_PLANTS; p++)
                for (int w = 0; w < CERTIFY_NOISES; w++) {
                        const struct sum s = sum_of(r, p, w, -1);
                        json_t *o = s.episodes > 0 ? json_sum(&s) : NULL;

                        if (!o)
                                continue;
                        (void)json_object_set_new(o, "plant", json_string(certify_plant_name[p]));
                        (void)json_object_set_new(o, "noise", json_string(certify_noise_name[w]));
                        (void)json_array_append_new(list, o);
                }
        return list;
}

static json_t *json_proposers(const struct certify_report *r)
{
        json_t *list = json_array();

        for (int p = 0; p < CERTIFY_PROPOSERS; p++) {
                const struct sum s = sum_of(r, -1, -1, p);
                json_t *o = s.episodes > 0 ? json_sum(&s) : NULL;

                if (!o)
                        continue;
                (void)json_object_set_new(o, "proposer", json_string(certify_proposer_name[p]));
                (void)json_array_append_new(list, o);
        }
        return list;
}

/* Every episode of which something is to be told. */
static json_t *json_told(const struct certify_report *r)
{
        json_t *list = json_array();

        for (size_t i = 0; i < r->n; i++) {
                const struct certify_result *e = &r->episode[i];

                if (!e->first[0])
                        continue;
                (void)json_array_append_new(
                    list, json_pack("{s:o, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o}", "episode", json_count(e->number),
                                    "plant", certify_plant_name[e->kind.plant], "noise",
                                    certify_noise_name[e->kind.noise], "load", certify_load_name[e->kind.load],
                                    "proposer", certify_proposer_name[e->kind.proposer], "violation", certify_failed(e),
                                    "first", e->first, "hard_violations_outside_assumptions",
                                    json_count(e->hard_outside), "hottest_c", json_number(e->hottest_c)));
        }
        return list;
}

static json_t *json_hostile(const struct certify_report *r)
{
        const struct certify_hostile *h = r->hostile;

        return json_pack("{s:o, s:o, s:o, s:[o,o,o,o], s:o, s:s}", "proposals", json_count(h->proposals), "per_second",
                         json_number((double)h->proposals / r->hostile_s), "illegal", json_illegal(&h->illegal),
                         "accept_project_hold_fallback", json_count(h->kind_steps[0]), json_count(h->kind_steps[1]),
                         json_count(h->kind_steps[2]), json_count(h->kind_steps[3]), "filter_wall",
                         json_time(&h->time, h->proposals), "first", h->first);
}

int certify_print_json(FILE *f, const struct certify_report *r)
{
        const struct certify_options *o = r->options;
        const struct sum all = sum_of(r, -1, -1, -1);
        json_t *root =
            json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:s, s:b, s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o}", "version",
                      COOLPLANE_VERSION, "seed", (json_int_t)o->seed, "first_episode", (json_int_t)o->first, "units",
                      (json_int_t)o->units, "hours", o->hours, "noise_k", CERTIFY_NOISE_K, "broken",
                      certify_break_name[o->broken], "strict", o->strict, "all", json_sum(&all), "sensible", "judged",
                      json_count(all.r.judged), "changed", json_count(all.r.cut), "changed_by_certificate",
                      json_count(all.r.cut_robust), "changed_after_3h", json_count(all.r.cut_late), "plant_noise",
                      json_cells(r), "proposers", json_proposers(r), "told", json_told(r));
        int ret = 0;

        if (!root)
                return -ENOMEM;
        if (r->hostile)
                (void)json_object_set_new(root, "hostile", json_hostile(r));
        if (r->outside_n > 0)
                (void)json_object_set_new(root, "outside", certify_json_outside(r));
        if (json_dumpf(root, f, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0 || fputc('\n', f) == EOF)
                ret = -EIO;
        json_decref(root);
        return ret;
}
