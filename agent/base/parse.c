/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/base/parse.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX 400 /* longer than any double written out without an exponent */

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

/* [+-] digits [. digits] [eE [+-] digits], at least one digit before the exponent. *ret_point: index of '.', or −1. */
static bool is_decimal(const char *s, long *ret_point)
{
        const char *p = s;
        bool any = false;

        *ret_point = -1;
        if (*p == '+' || *p == '-')
                p++;
        for (; is_digit(*p); p++)
                any = true;
        if (*p == '.') {
                *ret_point = (long)(p - s);
                for (p++; is_digit(*p); p++)
                        any = true;
        }
        if (!any)
                return false;
        if (*p == 'e' || *p == 'E') {
                p++;
                if (*p == '+' || *p == '-')
                        p++;
                if (!is_digit(*p))
                        return false;
                while (is_digit(*p))
                        p++;
        }
        return *p == '\0';
}

int parse_double(const char *s, double *ret)
{
        char buf[NUMBER_TEXT_MAX + 16];
        long point;

        if (strlen(s) > NUMBER_TEXT_MAX || !is_decimal(s, &point))
                return -EINVAL;

        /* strtod wants the locale's decimal point; the text always has '.'. */
        const char *dp = localeconv()->decimal_point;
        if (point >= 0 && strcmp(dp, ".") != 0) {
                int n = snprintf(buf, sizeof(buf), "%.*s%s%s", (int)point, s, dp, s + point + 1);
                if (n < 0 || (size_t)n >= sizeof(buf))
                        return -EINVAL;
                s = buf;
        }

        char *end;
        double v = strtod(s, &end);
        if (*end != '\0')
                return -EINVAL;
        if (!isfinite(v))
                return -ERANGE;
        *ret = v; /* underflow to a denormal or 0 is the nearest double: accepted */
        return 0;
}

static int digit_value(char c, unsigned base)
{
        int v = -1;
        if (is_digit(c))
                v = c - '0';
        else if (c >= 'a' && c <= 'f')
                v = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
                v = c - 'A' + 10;
        return v >= 0 && (unsigned)v < base ? v : -1;
}

int parse_int64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
        bool neg = false, overflow = false;
        unsigned base = 10;
        uint64_t v = 0;

        if (*s == '-' || *s == '+')
                neg = *s++ == '-';
        if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
                base = 16;
                s += 2;
        }
        if (*s == '\0')
                return -EINVAL;
        for (; *s != '\0'; s++) {
                int d = digit_value(*s, base);
                if (d < 0)
                        return -EINVAL;
                if (v > (UINT64_MAX - (uint64_t)d) / base)
                        overflow = true; /* keep checking the syntax */
                else
                        v = v * base + (uint64_t)d;
        }
        if (overflow || v > (uint64_t)INT64_MAX + (neg ? 1u : 0u))
                return -ERANGE;

        int64_t r;
        if (!neg)
                r = (int64_t)v;
        else if (v == (uint64_t)INT64_MAX + 1u)
                r = INT64_MIN;
        else
                r = -(int64_t)v;
        if (!(r >= min && r <= max))
                return -ERANGE;
        *ret = r;
        return 0;
}

struct suffix {
        const char *text;
        int64_t factor;
};

/* Digits and one of the suffixes. */
static int parse_scaled(const char *s, const struct suffix *units, size_t nunit, int64_t *ret)
{
        char digits[24];
        size_t n = strspn(s, "0123456789");

        if (n == 0)
                return -EINVAL;
        for (size_t i = 0; i < nunit; i++) {
                if (strcmp(s + n, units[i].text) != 0)
                        continue;
                if (n >= sizeof(digits))
                        return -ERANGE;
                memcpy(digits, s, n);
                digits[n] = '\0';
                int64_t v;
                int r = parse_int64(digits, 0, INT64_MAX / units[i].factor, &v);
                if (r < 0)
                        return r;
                *ret = v * units[i].factor;
                return 0;
        }
        return -EINVAL;
}

int parse_duration_ms(const char *s, int64_t *ret_ms)
{
        static const struct suffix units[] = {
            {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}};

        return parse_scaled(s, units, sizeof(units) / sizeof(units[0]), ret_ms);
}

int parse_bytes(const char *s, int64_t *ret)
{
        static const struct suffix units[] = {{"", 1},
                                              {"KiB", INT64_C(1) << 10},
                                              {"MiB", INT64_C(1) << 20},
                                              {"GiB", INT64_C(1) << 30},
                                              {"TiB", INT64_C(1) << 40}};

        return parse_scaled(s, units, sizeof(units) / sizeof(units[0]), ret);
}

int parse_copy(char *dst, size_t cap, const char *src)
{
        size_t n = strlen(src);
        if (n >= cap)
                return -ENAMETOOLONG;
        memcpy(dst, src, n + 1);
        return 0;
}

/* printf writes the locale's decimal point, which may be several bytes: put '.' back. */
static void undo_locale_point(char *s)
{
        char *w = s;
        bool in_point = false;
        for (const char *r = s; *r != '\0'; r++) {
                bool number = is_digit(*r) || *r == '-' || *r == '+' || *r == 'e';
                if (number)
                        *w++ = *r;
                else if (!in_point)
                        *w++ = '.';
                in_point = !number;
        }
        *w = '\0';
}

char *format_double(double v, char *buf)
{
        char text[48];

        if (isnan(v) || isinf(v)) {
                memcpy(buf, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf", isnan(v) || v > 0 ? 4 : 5);
                return buf;
        }
        /* A normal double holds any 15 digits, and %g strips zeros, so 15 is the place to start; denormals hold fewer.
         */
        for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
                (void)snprintf(text, sizeof(text), "%.*g", digits, v);
                char *end;
                double back = strtod(text, &end);
                if (back >= v && back <= v)
                        break;
        }
        undo_locale_point(text);
        memcpy(buf, text, strlen(text) + 1); /* at most 24 characters */
        return buf;
}

char *format_or_dash(double v, int decimals, const char *unit, char *buf)
{
        if (isfinite(v))
                (void)snprintf(buf, 32, "%.*f%s", decimals, v, unit); /* cut short rather than too long */
        else
                (void)snprintf(buf, 32, "-");
        return buf;
}
