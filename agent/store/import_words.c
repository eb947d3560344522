/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/import_words.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/base/parse.h"

#define PLAIN_MAX 64

const char *import_event_str(enum import_event e)
{
        static const char *const name[] = {"log_enabled",     "log_disabled",  "buffer_purged",
                                           "log_interrupted", "clock_changed", "other_event"};
        return (unsigned)e < IMPORT_EVENT_COUNT_ ? name[e] : "unknown";
}

static char lower(char c)
{
        return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Lower case; braces, dashes, underscores and blanks become single blanks, none at the ends. Cut where dst ends. */
static void plain(const char *text, size_t n, char dst[PLAIN_MAX])
{
        size_t at = 0;
        for (size_t i = 0; i < n && at + 1 < PLAIN_MAX; i++) {
                if (strchr(" \t-_{}[]()\"'", text[i])) {
                        if (at > 0 && dst[at - 1] != ' ')
                                dst[at++] = ' ';
                } else {
                        dst[at++] = lower(text[i]);
                }
        }
        if (at > 0 && dst[at - 1] == ' ')
                at--;
        dst[at] = '\0';
}

static bool listed(const char (*list)[IMPORT_WORD_MAX], size_t n, const char *text)
{
        for (size_t i = 0; i < n; i++)
                if (strcasecmp(list[i], text) == 0)
                        return true;
        return false;
}

int import_number(const struct import_map *m, const char *text, double *ret)
{
        char dotted[64];
        for (size_t i = 0; i < m->nword; i++) {
                if (strcmp(m->word[i].text, text) == 0) {
                        *ret = m->word[i].value;
                        return 0;
                }
        }
        if (m->decimal == '.')
                return parse_double(text, ret);
        if (strchr(text, '.') || parse_copy(dotted, sizeof dotted, text) < 0)
                return -EINVAL;
        char *mark = strchr(dotted, m->decimal);
        if (mark)
                *mark = '.';
        return parse_double(dotted, ret);
}

int import_event_of(const struct import_map *m, const char *text)
{
        static const struct {
                const char *part;
                enum import_event e;
        } known[] = {{"log enabled", IMPORT_EVENT_ENABLED},         {"logging enabled", IMPORT_EVENT_ENABLED},
                     {"trend enabled", IMPORT_EVENT_ENABLED},       {"log disabled", IMPORT_EVENT_DISABLED},
                     {"logging disabled", IMPORT_EVENT_DISABLED},   {"trend disabled", IMPORT_EVENT_DISABLED},
                     {"buffer purge", IMPORT_EVENT_PURGED},         {"log purge", IMPORT_EVENT_PURGED},
                     {"log interrupted", IMPORT_EVENT_INTERRUPTED}, {"time change", IMPORT_EVENT_CLOCK},
                     {"clock change", IMPORT_EVENT_CLOCK},          {"log status", IMPORT_EVENT_OTHER}};
        char p[PLAIN_MAX];
        if (listed(m->event, m->nevent, text))
                return IMPORT_EVENT_OTHER;
        plain(text, strlen(text), p);
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
                if (strstr(p, known[i].part))
                        return (int)known[i].e;
        return -1;
}

bool import_is_summary(const struct import_map *m, const char *text)
{
        static const char *const first[] = {"total", "totals",  "sum",   "average", "avg",    "mean", "min", "minimum",
                                            "max",   "maximum", "count", "std",     "end of", "***",  "---", "==="};
        for (size_t i = 0; i < m->nsummary; i++)
                if (m->summary[i][0] && strncasecmp(text, m->summary[i], strlen(m->summary[i])) == 0)
                        return true;
        for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) {
                size_t n = strlen(first[i]);
                char next = strncasecmp(text, first[i], n) == 0 ? text[n] : 'x';
                if (!(lower(next) >= 'a' && lower(next) <= 'z'))
                        return true;
        }
        return false;
}

/* --- quality ----------------------------------------------------------------------------------------------------- */

static const struct import_quality good = {QUALITY_GOOD, QR_NONE, false};
static const struct import_quality unknown = {QUALITY_BAD, QR_SOURCE, true};

static struct import_quality word_quality(const struct import_map *m, const char *word, bool commanded)
{
        static const char *const fine[] = {"ok",     "good",  "non specific", "good non specific", "alarm",
                                           "normal", "valid", "unackedalarm", "unacked alarm",     "in alarm",
                                           "192",    "0xc0",  "0x000000c0"};
        static const struct {
                const char *word;
                enum quality_reason why;
        } flawed[] = {{"fault", QR_SOURCE},
                      {"null", QR_SOURCE},
                      {"bad", QR_SOURCE},
                      {"no data", QR_SOURCE},
                      {"uncertain", QR_SOURCE},
                      {"questionable", QR_SOURCE},
                      {"substituted", QR_SOURCE},
                      {"out of service", QR_SOURCE},
                      {"sensor failure", QR_SOURCE},
                      {"invalid", QR_SOURCE},
                      {"0", QR_SOURCE},
                      {"out of range", QR_OUT_OF_RANGE},
                      {"stale", QR_STALE},
                      {"down", QR_COMM_FAIL},
                      {"disabled", QR_COMM_FAIL},
                      {"comm fail", QR_COMM_FAIL},
                      {"comm failure", QR_COMM_FAIL},
                      {"device failure", QR_COMM_FAIL},
                      {"not connected", QR_COMM_FAIL},
                      {"offline", QR_COMM_FAIL}};
        if (listed(m->good, m->ngood, word))
                return good;
        for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
                if (strcmp(word, fine[i]) == 0)
                        return good;
        if (strcmp(word, "overridden") == 0 || strcmp(word, "manual") == 0)
                return commanded ? good : (struct import_quality){QUALITY_BAD, QR_SOURCE, false};
        for (size_t i = 0; i < sizeof flawed / sizeof flawed[0]; i++)
                if (strcmp(word, flawed[i].word) == 0)
                        return (struct import_quality){QUALITY_BAD, (uint8_t)flawed[i].why, false};
        return unknown;
}

static int truth(const char *word)
{
        return strcmp(word, "true") == 0 || strcmp(word, "t") == 0    ? 1
               : strcmp(word, "false") == 0 || strcmp(word, "f") == 0 ? 0
                                                                      : -1;
}

/* The next word of a list: up to a comma; what follows '@' (a priority) is dropped. */
static const char *next_word(const char *text, char word[PLAIN_MAX])
{
        size_t n = strcspn(text, ",");
        size_t keep = strcspn(text, ",@");
        plain(text, keep, word);
        return text[n] == ',' ? text + n + 1 : text + n;
}

/* {in-alarm, fault, overridden, out-of-service}; false when it is not four truth values. */
static bool bacnet_flags(const char *text, bool commanded, struct import_quality *ret)
{
        int flag[4];
        for (size_t i = 0; i < 4; i++) {
                char word[PLAIN_MAX];
                if (!*text)
                        return false;
                text = next_word(text, word);
                flag[i] = truth(word);
                if (flag[i] < 0)
                        return false;
        }
        if (*text)
                return false;
        bool bad = flag[1] || flag[3] || (flag[2] && !commanded);
        *ret = bad ? (struct import_quality){QUALITY_BAD, QR_SOURCE, false} : good;
        return true;
}

struct import_quality import_quality_of(const struct import_map *m, const char *text, bool commanded)
{
        struct import_quality worst = good;
        if ((strchr(text, '{') != NULL) != (strchr(text, '}') != NULL)) /* cut */
                return unknown;
        if (listed(m->good, m->ngood, text) || bacnet_flags(text, commanded, &worst))
                return worst;
        do {
                char word[PLAIN_MAX];
                text = next_word(text, word);
                struct import_quality q = word_quality(m, word, commanded);
                if (worst.quality == QUALITY_GOOD && q.quality != QUALITY_GOOD)
                        worst = q;
                worst.unknown |= q.unknown;
        } while (*text);
        return worst;
}

struct import_quality import_flags_of(const char *text)
{
        struct import_quality worst = good;
        while (*text) {
                char word[PLAIN_MAX];
                text = next_word(text, word);
                if (word[0] == '\0' || strcmp(word, "start") == 0 || strcmp(word, "outoforder") == 0)
                        continue;
                bool known =
                    strcmp(word, "hidden") == 0 || strcmp(word, "modified") == 0 || strcmp(word, "interpolated") == 0;
                worst = (struct import_quality){QUALITY_BAD, QR_SOURCE, worst.unknown || !known};
        }
        return worst;
}
