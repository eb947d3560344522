/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/store/transcode.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIECE 4096
#define PENDING_MAX 16 /* > the longest character of any encoding */
#define NAME_MAX_ 32

static const char replacement[] = "\xef\xbf\xbd";

enum where { AT_START, UNDECIDED, CONVERTING };

struct transcode {
        transcode_fn fn;
        void *ctx;
        enum where where;
        bool detect, open;
        char name[NAME_MAX_];
        iconv_t cd;
        size_t unit;               /* bytes dropped where nothing fits */
        char pending[PENDING_MAX]; /* start of what the next bytes complete */
        size_t npending;
        int64_t undecodable;
};

static int open_as(struct transcode *t, const char *name)
{
        if (strcasecmp(name, "latin-1") == 0 || strcasecmp(name, "latin1") == 0)
                name = "ISO-8859-1";
        size_t n = strlen(name);
        if (n == 0 || n >= sizeof t->name || strchr(name, '/'))
                return -EINVAL;
        t->cd = iconv_open("UTF-8", name);
        if (t->cd == (iconv_t)-1)
                return errno == EINVAL ? -EINVAL : -ENOMEM;
        for (size_t i = 0; i <= n; i++)
                t->name[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
        t->open = true;
        t->unit = strncmp(t->name, "UTF-16", 6) == 0 ? 2 : 1;
        return 0;
}

int transcode_create(const char *encoding, transcode_fn fn, void *ctx, struct transcode **ret)
{
        struct transcode *t = calloc(1, sizeof *t);
        if (!t)
                return -ENOMEM;
        t->fn = fn;
        t->ctx = ctx;
        t->detect = strcasecmp(encoding, "auto") == 0;
        int r = t->detect ? 0 : open_as(t, encoding);
        if (r < 0)
                transcode_free(t);
        else
                *ret = t;
        return r;
}

struct transcode *transcode_free(struct transcode *t)
{
        if (t) {
                if (t->open)
                        (void)iconv_close(t->cd);
                free(t);
        }
        return NULL;
}

const char *transcode_name(const struct transcode *t)
{
        return t->name[0] ? t->name : "ASCII";
}

bool transcode_detected(const struct transcode *t)
{
        return t->detect;
}

int64_t transcode_undecodable(const struct transcode *t)
{
        return t->undecodable;
}

static size_t ascii_run(const char *s, size_t n)
{
        size_t i = 0;
        while (i < n && (unsigned char)s[i] < 0x80)
                i++;
        return i;
}

static int emit(struct transcode *t, const char *s, size_t n)
{
        return n > 0 ? t->fn(t->ctx, s, n) : 0;
}

/* in[0..n) through iconv; what is the start of a character stays pending, or at the end of all cannot be decoded. */
static int convert(struct transcode *t, char *in, size_t n, bool last)
{
        char out[4 * (PIECE + PENDING_MAX)];
        while (n > 0) {
                char *to = out;
                size_t room = sizeof out;
                size_t rc = iconv(t->cd, &in, &n, &to, &room);
                int why = rc == (size_t)-1 ? errno : 0;
                int r = emit(t, out, (size_t)(to - out));
                if (r != 0)
                        return r;
                if (why == EINVAL && !last && n < PENDING_MAX) {
                        memcpy(t->pending, in, n);
                        t->npending = n;
                        return 0;
                }
                if (why == EINVAL || why == EILSEQ) {
                        size_t skip = n < t->unit ? n : t->unit;
                        in += skip;
                        n -= skip;
                        t->undecodable++;
                        r = emit(t, replacement, 3);
                        if (r != 0)
                                return r;
                }
        }
        return 0;
}

static int convert_all(struct transcode *t, const char *data, size_t len, bool last)
{
        char in[PIECE + PENDING_MAX];
        do {
                size_t had = t->npending, n = len < PIECE ? len : PIECE;
                if (had == 0 && !last && t->unit == 1 && ascii_run(data, n) == n && strcmp(t->name, "UTF-8") == 0) {
                        int r = emit(t, data, n);
                        if (r != 0)
                                return r;
                } else {
                        memcpy(in, t->pending, had);
                        if (n > 0)
                                memcpy(in + had, data, n);
                        t->npending = 0;
                        int r = convert(t, in, had + n, last && n == len);
                        if (r != 0)
                                return r;
                }
                data = n > 0 ? data + n : data;
                len -= n;
        } while (len > 0);
        return 0;
}

/* Length of the well-formed UTF-8 character at s, 0 = none, −1 = more bytes are needed to tell. */
static int utf8_length(const unsigned char *s, size_t n)
{
        int len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                  : s[0] >= 0xe0 && s[0] <= 0xef ? 3
                  : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                 : 0;
        for (int i = 1; i < len; i++) {
                if ((size_t)i == n)
                        return -1;
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        }
        return len;
}

/* Plain ASCII until a character beyond it decides. */
static int undecided(struct transcode *t, const char *data, size_t len, bool last)
{
        while (len > 0) {
                if (t->npending == 0) {
                        size_t n = ascii_run(data, len);
                        int r = emit(t, data, n);
                        if (r != 0)
                                return r;
                        data += n;
                        len -= n;
                        if (len == 0)
                                return 0;
                }
                t->pending[t->npending++] = *data++;
                len--;
                int n = utf8_length((unsigned char *)t->pending, t->npending);
                if (n < 0)
                        continue;
                int r = open_as(t, n > 0 ? "UTF-8" : "ISO-8859-1");
                if (r < 0)
                        return r;
                t->where = CONVERTING;
                return len > 0 || last ? convert_all(t, data, len, last) : 0;
        }
        if (!last || t->npending == 0)
                return 0;
        int r = open_as(t, "ISO-8859-1"); /* cut inside a character, or none of UTF-8 */
        if (r < 0)
                return r;
        t->where = CONVERTING;
        return convert_all(t, data, 0, true);
}

static bool is_text(char c)
{
        return (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n';
}

/* The first bytes (up to 4): the mark that they are, to be dropped. */
static int decide_start(struct transcode *t, size_t *ret_mark)
{
        const char *s = t->pending;
        size_t n = t->npending;
        const char *found = NULL;
        size_t mark = 0;
        if (n >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
                found = "UTF-8";
                mark = 3;
        } else if (n >= 2 && memcmp(s, "\xff\xfe", 2) == 0) {
                found = "UTF-16LE";
                mark = 2;
        } else if (n >= 2 && memcmp(s, "\xfe\xff", 2) == 0) {
                found = "UTF-16BE";
                mark = 2;
        } else if (n == 4 && is_text(s[0]) && s[1] == 0 && is_text(s[2]) && s[3] == 0) {
                found = "UTF-16LE";
        } else if (n == 4 && s[0] == 0 && is_text(s[1]) && s[2] == 0 && is_text(s[3])) {
                found = "UTF-16BE";
        }
        t->where = t->detect && !found ? UNDECIDED : CONVERTING;
        if (!t->detect) {
                *ret_mark = found && strcmp(found, t->name) == 0 ? mark : 0;
                return 0;
        }
        *ret_mark = mark;
        return found ? open_as(t, found) : 0;
}

static int go_on(struct transcode *t, const char *data, size_t len, bool last)
{
        return t->where == UNDECIDED ? undecided(t, data, len, last) : convert_all(t, data, len, last);
}

static int leave_start(struct transcode *t, bool last)
{
        char first[4];
        size_t mark = 0;
        int r = decide_start(t, &mark);
        size_t n = t->npending - mark;
        memcpy(first, t->pending + mark, n);
        t->npending = 0;
        return r < 0 ? r : n > 0 || last ? go_on(t, first, n, last) : 0;
}

int transcode_feed(struct transcode *t, const char *data, size_t len)
{
        while (t->where == AT_START && len > 0) {
                t->pending[t->npending++] = *data++;
                len--;
                int r = t->npending == 4 ? leave_start(t, false) : 0;
                if (r != 0)
                        return r;
        }
        return len > 0 ? go_on(t, data, len, false) : 0;
}

int transcode_finish(struct transcode *t)
{
        return t->where == AT_START ? leave_start(t, true) : go_on(t, "", 0, true);
}
