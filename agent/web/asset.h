/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* Files embedded at build time (embed.cmake): the page's own and the packaged chart library. */
#ifndef COOLPLANE_WEB_ASSET_H
#define COOLPLANE_WEB_ASSET_H

#include <stddef.h>

struct asset {
        const char *path, *type, *etag; /* etag: quoted SHA-256 of the content */
        const unsigned char *data;
        const size_t *len;
};
extern const struct asset web_assets[]; /* ends with path NULL */

#endif
