/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/logtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/parse.h"

#define DAY_MS 86400000LL
#define HOUR_S 3600

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* "+01:00", "+0100", "Z"; returns what follows, NULL if it is no offset. */
static const char *scan_offset(const char *s, int32_t *ret_s)
{
        if (*s == 'Z' || *s == 'z') {
                *ret_s = 0;
                return s + 1;
        }
        if (*s != '+' && *s != '-')
                return NULL;
        int sign = *s++ == '-' ? -1 : 1;
        int d[4];
        for (int i = 0; i < 4; i++) {
                if (i == 2 && *s == ':')
                        s++;
                if (!is_digit(*s))
                        return NULL;
                d[i] = *s++ - '0';
        }
        int h = d[0] * 10 + d[1], m = d[2] * 10 + d[3];
        if (h > 14 || m > 59)
                return NULL;
        *ret_s = sign * (h * HOUR_S + m * 60);
        return s;
}

int logtime_zone_parse(const char *s, struct logtime_zone *ret)
{
        struct logtime_zone z = {0};
        if (parse_copy(z.name, sizeof z.name, s) < 0)
                return -EINVAL;
        const char *end = scan_offset(s, &z.offset_s);
        if (strcmp(s, "UTC") == 0 || (end && *end == '\0')) {
                z.fixed = true;
                *ret = z;
                return 0;
        }
        if (s[0] == '\0' || s[0] == '/' || s[0] == '.' || strstr(s, "..") || strchr(s, ':'))
                return -EINVAL;
        const char *dir = getenv("TZDIR");
        char path[512];
        int n = snprintf(path, sizeof path, "%s/%s", dir ? dir : "/usr/share/zoneinfo", s);
        char magic[4] = {0};
        FILE *f = n > 0 && (size_t)n < sizeof path ? fopen(path, "rbe") : NULL;
        size_t got = f ? fread(magic, 1, sizeof magic, f) : 0;
        if (f)
                (void)fclose(f);
        if (got != sizeof magic || memcmp(magic, "TZif", 4) != 0)
                return -EINVAL;
        *ret = z;
        return 0;
}

/* --- text -------------------------------------------------------------------------------------------------------- */

struct scan {
        int year, month, day, hour, minute, second;
        int64_t ms;
        int pm; /* −1 = not said */
        bool has_offset, has_epoch;
        int32_t offset_s;
        int64_t epoch_ms;
        char abbrev[LOGTIME_ABBREV_MAX];
};

static const char *scan_int(const char *s, int digits, int lo, int hi, int *ret)
{
        int v = 0, n = 0;
        for (; n < digits && is_digit(s[n]); n++)
                v = v * 10 + (s[n] - '0');
        if (n == 0 || v < lo || v > hi)
                return NULL;
        *ret = v;
        return s + n;
}

static const char *scan_fraction(const char *s, int64_t *ret_ms)
{
        int64_t ms = 0, unit = 100;
        if (!is_digit(*s))
                return NULL;
        for (; is_digit(*s); s++, unit /= 10)
                ms += (*s - '0') * unit;
        *ret_ms = ms;
        return s;
}

/* A decimal number of seconds (or ms) up to the end of its digits. */
static const char *scan_epoch(const char *s, double scale, int64_t *ret_ms)
{
        char buf[40];
        size_t n = strspn(s, "+-.0123456789eE");
        double v = 0;
        if (n == 0 || n >= sizeof buf)
                return NULL;
        memcpy(buf, s, n);
        buf[n] = '\0';
        if (parse_double(buf, &v) < 0 || !(v * scale >= -1e15 && v * scale <= 1e15))
                return NULL;
        v = v * scale;
        *ret_ms = (int64_t)(v < 0 ? v - 0.5 : v + 0.5);
        return s + n;
}

static const char *scan_month(const char *s, int *ret)
{
        static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
        for (int i = 0; i < 12; i++) {
                if (strncasecmp(s, names + (size_t)i * 3, 3) == 0) {
                        *ret = i + 1;
                        return s + 3;
                }
        }
        return NULL;
}

static const char *scan_pm(const char *s, int *ret)
{
        if (strncasecmp(s, "am", 2) != 0 && strncasecmp(s, "pm", 2) != 0)
                return NULL;
        *ret = *s == 'p' || *s == 'P';
        return s + 2;
}

/* "UTC" and "GMT" are offset 0; other names are kept. */
static const char *scan_abbrev(const char *s, struct scan *t)
{
        size_t n = 0;
        while ((s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= 'a' && s[n] <= 'z'))
                n++;
        if (n == 0 || n >= sizeof t->abbrev)
                return NULL;
        memcpy(t->abbrev, s, n);
        t->abbrev[n] = '\0';
        if (strcmp(t->abbrev, "UTC") == 0 || strcmp(t->abbrev, "GMT") == 0 || strcmp(t->abbrev, "Z") == 0) {
                t->has_offset = true;
                t->offset_s = 0;
                t->abbrev[0] = '\0';
        }
        return s + n;
}

static const char *scan_field(char letter, const char *s, struct scan *t)
{
        const char *end = NULL;
        switch (letter) {
        case 'Y':
                return scan_int(s, 4, 1900, 2199, &t->year);
        case 'y':
                end = scan_int(s, 2, 0, 99, &t->year);
                t->year += t->year < 69 ? 2000 : 1900;
                return end;
        case 'm':
                return scan_int(s, 2, 1, 12, &t->month);
        case 'b':
                return scan_month(s, &t->month);
        case 'd':
                return scan_int(s, 2, 1, 31, &t->day);
        case 'H':
                return scan_int(s, 2, 0, 24, &t->hour);
        case 'I':
                return scan_int(s, 2, 1, 12, &t->hour);
        case 'M':
                return scan_int(s, 2, 0, 59, &t->minute);
        case 'S':
                return scan_int(s, 2, 0, 59, &t->second);
        case 'f':
                return scan_fraction(s, &t->ms);
        case 'p':
                return scan_pm(s, &t->pm);
        case 'z':
                t->has_offset = true;
                return scan_offset(s, &t->offset_s);
        case 'Z':
                return scan_abbrev(s, t);
        case 's':
        case 'Q':
                t->has_epoch = true;
                return scan_epoch(s, letter == 's' ? 1000 : 1, &t->epoch_ms);
        default:
                return NULL;
        }
}

/* Days since 1970-01-01 of a Gregorian date (Hinnant's algorithm). */
static int64_t days_from_civil(int y, int m, int d)
{
        int64_t yy = m <= 2 ? y - 1 : y;
        int64_t era = (yy >= 0 ? yy : yy - 399) / 400;
        int64_t yoe = yy - era * 400;
        int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
        int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        return era * 146097 + doe - 719468;
}

static int finish(struct scan *t, struct logtime_text *ret)
{
        static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        if (t->has_epoch) {
                *ret = (struct logtime_text){.epoch = true, .absolute = true, .wall_ms = t->epoch_ms};
                return 0;
        }
        if (t->year == 0 || t->month == 0 || t->day == 0)
                return -EINVAL;
        bool leap = (t->year % 4 == 0 && t->year % 100 != 0) || t->year % 400 == 0;
        if (t->day > month_days[t->month - 1] + (leap && t->month == 2))
                return -EINVAL;
        if (t->pm >= 0) {
                if (t->hour < 1 || t->hour > 12)
                        return -EINVAL;
                t->hour = t->hour % 12 + 12 * t->pm;
        }
        if (t->hour == 24 && (t->minute != 0 || t->second != 0 || t->ms != 0))
                return -EINVAL;
        int64_t ms = days_from_civil(t->year, t->month, t->day) * DAY_MS +
                     ((t->hour * 60LL + t->minute) * 60 + t->second) * 1000 + t->ms;
        *ret = (struct logtime_text){.absolute = t->has_offset, .wall_ms = ms - t->offset_s * 1000LL};
        if (!t->has_offset)
                memcpy(ret->abbrev, t->abbrev, sizeof ret->abbrev);
        return 0;
}

int logtime_parse(const char *pattern, const char *text, struct logtime_text *ret)
{
        struct scan t = {.pm = -1};
        for (; *pattern; pattern++) {
                if (*pattern == ' ') {
                        size_t n = strspn(text, " \t");
                        if (n == 0)
                                return -EINVAL;
                        text += n;
                } else if (*pattern == '%' && pattern[1] != '%') {
                        pattern++;
                        text = scan_field(*pattern, text, &t);
                        if (!text)
                                return -EINVAL;
                } else {
                        pattern += *pattern == '%';
                        if (*text++ != *pattern)
                                return -EINVAL;
                }
        }
        return *text == '\0' ? finish(&t, ret) : -EINVAL;
}

int logtime_check_pattern(const char *pattern)
{
        bool year = false, month = false, day = false, epoch = false, hour24 = false, hour12 = false, half = false;
        for (; *pattern; pattern++) {
                if (*pattern != '%')
                        continue;
                pattern++;
                if (*pattern == '\0' || !strchr("YymbdHIMSfpzZsQ%", *pattern))
                        return -EINVAL;
                year |= *pattern == 'Y' || *pattern == 'y';
                month |= *pattern == 'm' || *pattern == 'b';
                day |= *pattern == 'd';
                epoch |= *pattern == 's' || *pattern == 'Q';
                hour24 |= *pattern == 'H';
                hour12 |= *pattern == 'I';
                half |= *pattern == 'p';
        }
        if (hour12 != half || (hour24 && half))
                return -EINVAL;
        return epoch || (year && month && day) ? 0 : -EINVAL;
}

/* --- zones ------------------------------------------------------------------------------------------------------- */

static char *former_tz;
static bool had_tz;

void logtime_zone_enter(const struct logtime_zone *z)
{
        const char *tz = getenv("TZ");
        had_tz = tz != NULL;
        free(former_tz);
        former_tz = tz ? strdup(tz) : NULL;
        (void)setenv("TZ", z->fixed ? "UTC" : z->name, 1);
        tzset();
}

void logtime_zone_leave(void)
{
        if (had_tz && former_tz)
                (void)setenv("TZ", former_tz, 1);
        else
                (void)unsetenv("TZ");
        tzset();
        free(former_tz);
        former_tz = NULL;
}

static int64_t floor_div(int64_t a, int64_t b)
{
        return a / b - (a % b < 0);
}

static bool offset_at(int64_t utc_s, int64_t *ret_offset_s)
{
        time_t t = (time_t)utc_s;
        struct tm tm;
        if (!localtime_r(&t, &tm))
                return false;
        *ret_offset_s = tm.tm_gmtoff;
        return true;
}

int logtime_to_utc(const struct logtime_zone *z, int64_t wall_ms, int64_t ret_ms[2])
{
        if (z->fixed) {
                ret_ms[0] = wall_ms - z->offset_s * 1000LL;
                return 1;
        }
        /* The offset in force is one of those a day before and a day after; each is tried and checked. */
        int64_t wall_s = floor_div(wall_ms, 1000), offset[2], found[2];
        int n = 0;
        if (!offset_at(wall_s - 86400, &offset[0]) || !offset_at(wall_s + 86400, &offset[1]))
                return 0;
        for (int i = 0; i < 2; i++) {
                int64_t actual, utc_s = wall_s - offset[i];
                if ((i == 1 && offset[1] == offset[0]) || !offset_at(utc_s, &actual) || actual != offset[i])
                        continue;
                found[n++] = wall_ms - offset[i] * 1000;
        }
        if (n == 2 && found[0] > found[1]) {
                int64_t first = found[1];
                found[1] = found[0];
                found[0] = first;
        }
        for (int i = 0; i < n; i++)
                ret_ms[i] = found[i];
        return n;
}

int logtime_called(const struct logtime_zone *z, const char *abbrev, int n, int64_t ret_ms[2])
{
        int left = 0;
        for (int i = 0; i < n; i++) {
                time_t t = (time_t)floor_div(ret_ms[i], 1000);
                struct tm tm;
                if (z->fixed ? strcmp(z->name, abbrev) == 0
                             : localtime_r(&t, &tm) && strcasecmp(tm.tm_zone, abbrev) == 0)
                        ret_ms[left++] = ret_ms[i];
        }
        return left;
}
