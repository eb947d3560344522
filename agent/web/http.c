/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
#include "agent/web/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
        CONNECTIONS_MAX = 64,
        MEMORY_PER_CONNECTION = 16 * 1024, /* request line and headers; bodies are not copied */
        IDLE_S = 15,
        REQUEST_MS = 10000, /* for the whole head of a request, however it dribbles */
        ANSWER_MS = 60000,
        TICK_MS = 1000,
        RUNS_MAX = 32,
};

struct peer {                              /* one connection */
        const struct MHD_Connection *conn; /* NULL = free */
        int fd;
        bool answering;
        int64_t since_mono_ms;
};

struct http {
        struct http_args a;
        struct MHD_Daemon *daemon;
        struct loop_timer *timer;
        int listen_fd, epoll_fd;
        struct peer peer[CONNECTIONS_MAX];
};

/* --- answers ----------------------------------------------------------------------------------------------------- */

static enum MHD_Result send_response(struct MHD_Connection *conn, const struct web_response *w)
{
        static const struct {
                const char *name, *value;
        } always[] = {{"Content-Security-Policy",
                       "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
                       "object-src 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Cross-Origin-Opener-Policy", "same-origin"}};
        union {
                const char *in;
                void *out;
        } body = {.in = w->body}; /* persistent memory is only read */
        struct MHD_Response *r = w->owned ? MHD_create_response_from_buffer(w->len, w->owned, MHD_RESPMEM_MUST_FREE)
                                          : MHD_create_response_from_buffer(w->len, body.out, MHD_RESPMEM_PERSISTENT);
        enum MHD_Result ok;

        if (!r) {
                free(w->owned);
                return MHD_NO;
        }
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
                (void)MHD_add_response_header(r, always[i].name, always[i].value);
        if (w->type)
                (void)MHD_add_response_header(r, "Content-Type", w->type);
        (void)MHD_add_response_header(r, "Cache-Control", w->etag ? "no-cache" : "no-store");
        if (w->etag)
                (void)MHD_add_response_header(r, "ETag", w->etag);
        if (w->status == MHD_HTTP_METHOD_NOT_ALLOWED)
                (void)MHD_add_response_header(r, "Allow", "GET, HEAD");
        ok = MHD_queue_response(conn, w->status, r);
        MHD_destroy_response(r);
        return ok;
}

static enum MHD_Result refuse(struct MHD_Connection *conn, unsigned status, const char *why)
{
        struct web_response w = {
            .status = status, .type = "text/plain; charset=utf-8", .body = why, .len = strlen(why)};

        return send_response(conn, &w);
}

static const char *param(void *ctx, const char *name)
{
        return MHD_lookup_connection_value(ctx, MHD_GET_ARGUMENT_KIND, name);
}

static struct peer *find_peer(struct http *h, const struct MHD_Connection *conn)
{
        for (size_t i = 0; i < CONNECTIONS_MAX; i++)
                if (h->peer[i].conn == conn)
                        return &h->peer[i];
        return NULL;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *conn, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **con_cls)
{
        struct http *h = ctx;
        bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
        struct peer *p = find_peer(h, conn);
        const char *host = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
        const char *match = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
        struct web_request q = {.path = url, .param = param, .ctx = conn};
        struct web_response w;

        (void)version;
        (void)upload;
        (void)upload_size;
        /* first call: head only. A GET is answered at the next one, which keeps the connection; anything else now,
         * before its body is read. */
        if (get && !*con_cls) {
                *con_cls = h;
                return MHD_YES;
        }
        if (p) {
                p->answering = true;
                p->since_mono_ms = clk_real_mono_ms();
        }
        if (!host)
                return refuse(conn, MHD_HTTP_BAD_REQUEST, "Host is missing\n");
        if (!request_host_allowed(&h->a.hosts, host))
                return refuse(conn, MHD_HTTP_FORBIDDEN,
                              "this console is not known by that name; see coolplane-web --help, --allow-host\n");
        if (!get)
                return refuse(conn, MHD_HTTP_METHOD_NOT_ALLOWED, "read-only: GET and HEAD\n");
        console_answer(h->a.console, &q, &w);
        if (w.etag && match && strcmp(match, w.etag) == 0) {
                w.status = MHD_HTTP_NOT_MODIFIED;
                w.type = NULL;
                w.body = "";
                w.len = 0;
        }
        return send_response(conn, &w);
}

/* --- connections ------------------------------------------------------------------------------------------------- */

static void on_connection(void *ctx, struct MHD_Connection *conn, void **socket_ctx,
                          enum MHD_ConnectionNotificationCode what)
{
        struct http *h = ctx;
        struct peer *p = find_peer(h, what == MHD_CONNECTION_NOTIFY_STARTED ? NULL : conn);
        const union MHD_ConnectionInfo *info;

        (void)socket_ctx;
        if (!p)
                return;
        if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
                p->conn = NULL;
                return;
        }
        info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
                *p = (struct peer){.conn = conn, .fd = info->connect_fd, .since_mono_ms = clk_real_mono_ms()};
}

static void on_completed(void *ctx, struct MHD_Connection *conn, void **con_cls, enum MHD_RequestTerminationCode why)
{
        struct http *h = ctx;
        struct peer *p = find_peer(h, conn);

        (void)con_cls;
        (void)why;
        if (p) {
                p->answering = false;
                p->since_mono_ms = clk_real_mono_ms();
        }
}

/* libmicrohttpd's own time-out starts anew with every byte; this one does not. */
static void drop_slow(struct http *h)
{
        int64_t now = clk_real_mono_ms();

        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
                const struct peer *p = &h->peer[i];

                if (p->conn && now - p->since_mono_ms > (p->answering ? ANSWER_MS : REQUEST_MS))
                        (void)shutdown(p->fd, SHUT_RDWR);
        }
}

static void run(struct http *h)
{
        MHD_UNSIGNED_LONG_LONG wait_ms = TICK_MS;

        drop_slow(h); /* here, not in the timer: every event moves that one on */
        for (int i = 0; i < RUNS_MAX; i++) {
                (void)MHD_run(h->daemon);
                wait_ms = TICK_MS;
                if (MHD_get_timeout(h->daemon, &wait_ms) != MHD_YES || wait_ms > 0)
                        break;
        }
        loop_timer_arm(h->timer, wait_ms < TICK_MS ? (int64_t)wait_ms : TICK_MS);
}

static void on_ready(void *ctx, int fd, uint32_t events)
{
        (void)fd;
        (void)events;
        run(ctx);
}

static void on_tick(void *ctx)
{
        run(ctx);
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

static int listen_on(const char *address, int port, int *ret_fd, int *ret_port)
{
        struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
        struct addrinfo *ai = NULL;
        struct sockaddr_storage sa;
        socklen_t len = sizeof sa;
        char service[8];
        int fd, one = 1, r = 0;

        (void)snprintf(service, sizeof service, "%d", port);
        if (getaddrinfo(strcmp(address, "localhost") == 0 ? "127.0.0.1" : address, service, &hints, &ai) != 0)
                return -EINVAL;
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
                r = -errno;
                goto out;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, CONNECTIONS_MAX) < 0 ||
            getsockname(fd, (struct sockaddr *)&sa, &len) < 0) {
                r = -errno;
                (void)close(fd);
                goto out;
        }
        *ret_port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
                                                   : ((struct sockaddr_in *)&sa)->sin_port);
        *ret_fd = fd;
out:
        freeaddrinfo(ai);
        return r;
}

static int start_daemon(struct http *h)
{
        const union MHD_DaemonInfo *info;

        h->daemon =
            MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, h->listen_fd,
                             MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                             (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
                             MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
                             MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
        if (!h->daemon)
                return -EIO;
        h->listen_fd = -1; /* the daemon's now */
        info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
        if (!info || info->epoll_fd < 0)
                return -EIO;
        h->epoll_fd = info->epoll_fd;
        return loop_add_fd(h->a.loop, h->epoll_fd, EPOLLIN, on_ready, h);
}

int http_create(const struct http_args *a, struct http **ret, int *ret_port)
{
        struct http *h = calloc(1, sizeof *h);
        int port = 0, r;

        if (!h)
                return -ENOMEM;
        h->a = *a;
        h->listen_fd = h->epoll_fd = -1;
        r = listen_on(a->bind, a->port, &h->listen_fd, &port);
        if (r == 0)
                r = loop_timer_create(a->loop, true, on_tick, h, &h->timer);
        if (r == 0)
                r = start_daemon(h);
        if (r < 0) {
                http_free(h);
                return r;
        }
        loop_timer_arm(h->timer, 0);
        *ret_port = port;
        *ret = h;
        return 0;
}

struct http *http_free(struct http *h)
{
        if (!h)
                return NULL;
        if (h->epoll_fd >= 0)
                loop_del_fd(h->a.loop, h->epoll_fd);
        if (h->daemon)
                MHD_stop_daemon(h->daemon);
        if (h->listen_fd >= 0)
                (void)close(h->listen_fd);
        loop_timer_free(h->timer);
        free(h);
        return NULL;
}
