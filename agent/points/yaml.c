/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/points/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libfyaml.h>

#define DEPTH_MAX 16

struct build {
        struct yaml y;
        int open[DEPTH_MAX], last[DEPTH_MAX]; /* container and its newest child */
        size_t depth;
        char *key; /* of the value to come */
        int key_line, key_col;
        yaml_error_fn error;
        void *ctx;
        int rc;
        int documents;
};

static void complain(struct build *b, const struct fy_mark *at, const char *msg)
{
        b->error(b->ctx, at != NULL ? at->line + 1 : 0, at != NULL ? at->column + 1 : 0, msg);
}

/* What comes after cannot be understood. */
static void give_up(struct build *b, const struct fy_mark *at, const char *msg)
{
        complain(b, at, msg);
        b->rc = -EINVAL;
}

static bool in_map(const struct build *b)
{
        return b->depth > 0 && b->y.node[b->open[b->depth - 1]].kind == YNODE_MAP;
}

/* Appends a node below the open container; its index, or −1. */
static int add(struct build *b, enum ynode_kind kind, const struct fy_mark *at)
{
        if (b->y.n == b->y.cap) {
                size_t cap = b->y.cap != 0 ? 2 * b->y.cap : 256;
                struct ynode *node = realloc(b->y.node, cap * sizeof(node[0]));
                if (node == NULL) {
                        b->rc = -ENOMEM;
                        return -1;
                }
                b->y.node = node;
                b->y.cap = cap;
        }
        int i = (int)b->y.n++;
        struct ynode n = {.kind = kind, .child = -1, .next = -1};
        n.line = at != NULL ? at->line + 1 : 0;
        n.col = at != NULL ? at->column + 1 : 0;
        n.key = b->key;
        n.key_line = b->key_line;
        n.key_col = b->key_col;
        b->key = NULL;
        b->y.node[i] = n;
        if (b->depth > 0) {
                int *last = &b->last[b->depth - 1];
                if (*last < 0)
                        b->y.node[b->open[b->depth - 1]].child = i;
                else
                        b->y.node[*last].next = i;
                *last = i;
        }
        return i;
}

static void open_container(struct build *b, enum ynode_kind kind, struct fy_token *token)
{
        const struct fy_mark *at = fy_token_start_mark(token);
        if (in_map(b) && b->key == NULL) {
                give_up(b, at, "a key must be plain text");
                return;
        }
        if (b->depth == DEPTH_MAX) {
                give_up(b, at, "nested too deeply");
                return;
        }
        int i = add(b, kind, at);
        if (i < 0)
                return;
        b->open[b->depth] = i;
        b->last[b->depth] = -1;
        b->depth++;
}

static char *token_text(struct fy_token *t)
{
        size_t len = 0;
        const char *s = fy_token_get_text(t, &len);
        char *copy = malloc(len + 1);
        if (copy == NULL)
                return NULL;
        if (s != NULL)
                memcpy(copy, s, len);
        copy[s != NULL ? len : 0] = '\0';
        return copy;
}

static void scalar(struct build *b, struct fy_event *e)
{
        const struct fy_mark *at = fy_token_start_mark(e->scalar.value);
        if (e->scalar.anchor != NULL || e->scalar.tag != NULL)
                complain(b, at, "anchors and tags are not used in site files");
        char *text = token_text(e->scalar.value);
        if (text == NULL) {
                b->rc = -ENOMEM;
                return;
        }
        if (strlen(text) != (fy_token_get_text_length(e->scalar.value)))
                complain(b, at, "a text holds a NUL byte");
        if (in_map(b) && b->key == NULL) {
                b->key = text;
                b->key_line = at != NULL ? at->line + 1 : 0;
                b->key_col = at != NULL ? at->column + 1 : 0;
                return;
        }
        int i = add(b, YNODE_SCALAR, at);
        if (i < 0) {
                free(text);
                return;
        }
        b->y.node[i].text = text;
        b->y.node[i].plain = fy_token_scalar_style(e->scalar.value) == FYSS_PLAIN;
        if (!b->y.node[i].plain && at != NULL && b->y.node[i].col > 1)
                b->y.node[i].col--; /* the mark is inside the quotes */
        if (at == NULL) {           /* "key:" with nothing after it */
                b->y.node[i].line = b->y.node[i].key_line;
                b->y.node[i].col = b->y.node[i].key_col;
        }
}

static void event(struct build *b, struct fy_event *e)
{
        switch (e->type) {
        case FYET_DOCUMENT_START:
                if (++b->documents > 1)
                        give_up(b, fy_token_start_mark(e->document_start.document_start), "only one document a file");
                break;
        case FYET_MAPPING_START:
                if (e->mapping_start.anchor != NULL || e->mapping_start.tag != NULL)
                        complain(b, fy_token_start_mark(e->mapping_start.mapping_start),
                                 "anchors and tags are not used in site files");
                open_container(b, YNODE_MAP, e->mapping_start.mapping_start);
                break;
        case FYET_SEQUENCE_START:
                if (e->sequence_start.anchor != NULL || e->sequence_start.tag != NULL)
                        complain(b, fy_token_start_mark(e->sequence_start.sequence_start),
                                 "anchors and tags are not used in site files");
                open_container(b, YNODE_SEQ, e->sequence_start.sequence_start);
                break;
        case FYET_MAPPING_END:
        case FYET_SEQUENCE_END:
                if (b->depth > 0)
                        b->depth--;
                break;
        case FYET_SCALAR:
                scalar(b, e);
                break;
        case FYET_ALIAS:
                give_up(b, fy_token_start_mark(e->alias.anchor), "aliases are not used in site files");
                break;
        case FYET_NONE:
        case FYET_STREAM_START:
        case FYET_STREAM_END:
        case FYET_DOCUMENT_END:
                break;
        }
}

static void duplicate_keys(struct build *b)
{
        for (size_t i = 0; i < b->y.n; i++) {
                if (b->y.node[i].kind != YNODE_MAP)
                        continue;
                for (int a = b->y.node[i].child; a >= 0; a = b->y.node[a].next)
                        for (int c = b->y.node[i].child; c != a; c = b->y.node[c].next)
                                if (strcmp(b->y.node[a].key, b->y.node[c].key) == 0) {
                                        struct fy_mark at = {.line = b->y.node[a].key_line - 1,
                                                             .column = b->y.node[a].key_col - 1};
                                        complain(b, &at, "the key is given twice");
                                        break;
                                }
        }
}

static void syntax_errors(struct build *b, struct fy_diag *diag)
{
        void *it = NULL;
        bool any = false;
        for (struct fy_diag_error *e = fy_diag_errors_iterate(diag, &it); e != NULL;
             e = fy_diag_errors_iterate(diag, &it)) {
                b->error(b->ctx, e->line > 0 ? e->line : 0, e->column > 0 ? e->column : 0, e->msg);
                any = true;
        }
        if (!any)
                b->error(b->ctx, 0, 0, "not valid YAML");
        b->rc = -EINVAL;
}

/* Length of the UTF-8 character at s, 0 when it is none (overlong, surrogate and out-of-range forms included). */
static size_t utf8_length(const unsigned char *s, size_t left)
{
        static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (s[0] < 0x80)
                return 1;
        size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
        if (s[0] < 0xc0 || s[0] > 0xf4 || n > left)
                return 0;
        unsigned long c = s[0] & (0xffu >> (n + 1));
        for (size_t i = 1; i < n; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3fu);
        }
        return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : n;
}

/* libfyaml 0.7.12 reads a directive with such bytes for ever. */
static bool refuse_not_utf8(const char *text, size_t len, yaml_error_fn error, void *ctx)
{
        int line = 1, col = 1;
        for (size_t i = 0, n; i < len; i += n) {
                n = utf8_length((const unsigned char *)text + i, len - i);
                if (n == 0) {
                        error(ctx, line, col, "not UTF-8");
                        return true;
                }
                col = text[i] == '\n' ? 1 : col + 1;
                line += text[i] == '\n';
        }
        return false;
}

int yaml_parse(const char *text, size_t len, yaml_error_fn error, void *ctx, struct yaml *ret)
{
        struct build b = {.error = error, .ctx = ctx};
        struct fy_diag_cfg dcfg;
        struct fy_parser *parser = NULL;

        if (refuse_not_utf8(text, len, error, ctx))
                return -EINVAL;
        fy_diag_cfg_default(&dcfg);
        dcfg.fp = NULL;
        struct fy_diag *diag = fy_diag_create(&dcfg);
        if (diag == NULL)
                return -ENOMEM;
        fy_diag_set_collect_errors(diag, true);
        struct fy_parse_cfg cfg = {
            .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS | FYPCF_DEFAULT_VERSION_1_2,
            .diag = diag,
        };
        parser = fy_parser_create(&cfg);
        if (parser == NULL || fy_parser_set_string(parser, text, len) != 0) {
                b.rc = -ENOMEM;
                goto out;
        }
        for (struct fy_event *e = fy_parser_parse(parser); e != NULL; e = fy_parser_parse(parser)) {
                if (b.rc == 0)
                        event(&b, e);
                fy_parser_event_free(parser, e);
                if (b.rc != 0)
                        break;
        }
        if (b.rc == 0 && fy_parser_get_stream_error(parser))
                syntax_errors(&b, diag);
        if (b.rc == 0)
                duplicate_keys(&b);
out:
        fy_parser_destroy(parser);
        fy_diag_destroy(diag);
        free(b.key);
        if (b.rc != 0)
                yaml_free(&b.y);
        else
                *ret = b.y;
        return b.rc;
}

void yaml_free(struct yaml *y)
{
        for (size_t i = 0; i < y->n; i++) {
                free(y->node[i].key);
                free(y->node[i].text);
        }
        free(y->node);
        *y = (struct yaml){0};
}

const struct ynode *yaml_child(const struct yaml *y, const struct ynode *n)
{
        return n->child < 0 ? NULL : &y->node[n->child];
}

const struct ynode *yaml_next(const struct yaml *y, const struct ynode *n)
{
        return n->next < 0 ? NULL : &y->node[n->next];
}

const struct ynode *yaml_get(const struct yaml *y, const struct ynode *map, const char *key)
{
        if (map->kind != YNODE_MAP)
                return NULL;
        for (const struct ynode *c = yaml_child(y, map); c != NULL; c = yaml_next(y, c))
                if (strcmp(c->key, key) == 0)
                        return c;
        return NULL;
}

bool yaml_is_null(const struct ynode *n)
{
        return n->kind == YNODE_SCALAR && n->plain &&
               (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}
