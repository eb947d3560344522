/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/*
 * A YAML document as a plain tree with the position of every node, so that nothing else sees libfyaml. Anchors,
 * aliases, tags and several documents are refused: a site file is data. UTF-8 only.
 */
#ifndef COOLPLANE_POINTS_YAML_H
#define COOLPLANE_POINTS_YAML_H

#include <stdbool.h>
#include <stddef.h>

enum ynode_kind { YNODE_SCALAR, YNODE_MAP, YNODE_SEQ };

struct ynode {
        enum ynode_kind kind;
        char *key;                        /* inside a map; NULL otherwise */
        char *text;                       /* scalars */
        bool plain;                       /* unquoted: may be null */
        int line, col, key_line, key_col; /* 1-based */
        int child, next;                  /* indices of the first child and the next sibling, −1 = none */
};

struct yaml {
        struct ynode *node; /* node[0] is the root; none for an empty document */
        size_t n, cap;
};

typedef void (*yaml_error_fn)(void *ctx, int line, int col, const char *msg);

/* 0 (keys given twice, anchors and tags are told and the first kept); -EINVAL after telling what makes the rest
 * unreadable; -ENOMEM. */
int yaml_parse(const char *text, size_t len, yaml_error_fn error, void *ctx, struct yaml *ret);
void yaml_free(struct yaml *y);

/* Child of a map by key; NULL when there is none. */
const struct ynode *yaml_get(const struct yaml *y, const struct ynode *map, const char *key);
/* First child and next sibling; NULL at the end. */
const struct ynode *yaml_child(const struct yaml *y, const struct ynode *n);
const struct ynode *yaml_next(const struct yaml *y, const struct ynode *n);
/* null, ~ or nothing at all. */
bool yaml_is_null(const struct ynode *n);

#endif
