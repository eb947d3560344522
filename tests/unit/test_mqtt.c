/* SPDX-License-Identifier: Apache-2.0
 * SPDX-FileCopyrightText: coolplane contributors */
/* The driver against a real mosquitto on a free port of the loopback. Skipped (77) where there is none. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/drivers/mqtt.h"

static const char *const mosquitto_paths[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"};
static const char *mosquitto;
static char dir[] = "/tmp/coolplane-mqtt-XXXXXX";
static char tls_lines[1024];
static int port;
static pid_t broker = -1;

static struct clk clk;
static struct loop *loop;
static struct point points[2];
static struct device devices[1];
static struct site site;
static struct mqtt_driver *driver;
static struct sample last[2];
static int good, bad, vm_messages, rejects_told, connects_told;
static char vm_subtopic[64], vm_json[256];
static bool (*until)(void);
static bool reached;
static int64_t deadline_ms;
static struct loop_timer *poll_timer;

/* ---- names ---- */

#define SLOW_NAME "slow.invalid"
#define SLOW_S 8

typedef int (*getaddrinfo_fn)(const char *host, const char *service, const struct addrinfo *hints,
                              struct addrinfo **ret);

/* In place of the C library's, for paho too: one name takes its time, as each does when no DNS server answers. */
int getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret)
{
        struct timespec ts = {.tv_sec = SLOW_S};
        getaddrinfo_fn real;

        if (host && strcmp(host, SLOW_NAME) == 0) {
                (void)nanosleep(&ts, NULL);
                return EAI_AGAIN;
        }
        void *libc = dlopen("libc.so.6", RTLD_LAZY), *symbol = libc ? dlsym(libc, "getaddrinfo") : NULL;
        if (!symbol)
                return EAI_SYSTEM;
        memcpy(&real, &symbol, sizeof(real));
        return real(host, service, hints, ret);
}

/* ---- broker ---- */

static int listening_socket(int *ret_port)
{
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(a);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
        *ret_port = ntohs(a.sin_port);
        return fd;
}

static int dial(void)
{
        struct sockaddr_in a = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
                (void)close(fd);
                return -1;
        }
        return fd;
}

static void broker_start(void)
{
        char conf[128];
        (void)snprintf(conf, sizeof(conf), "%s/mosquitto.conf", dir);
        FILE *f = fopen(conf, "w");
        assert_non_null(f);
        /* as root it would become a user who may not be able to read /etc/hosts.deny, and then refuse everybody */
        (void)fprintf(f, "listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n%s%s", port,
                      geteuid() == 0 ? "user root\n" : "", tls_lines);
        assert_int_equal(fclose(f), 0);
        broker = fork();
        assert_true(broker >= 0);
        if (broker == 0) {
                int null = open("/dev/null", O_WRONLY);
                (void)dup2(null, STDOUT_FILENO);
                (void)dup2(null, STDERR_FILENO);
                (void)execl(mosquitto, mosquitto, "-c", conf, (char *)NULL);
                _exit(127);
        }
        for (int i = 0; i < 500; i++) { /* until it listens */
                struct timespec ts = {.tv_nsec = 10000000};
                int fd = dial();
                if (fd >= 0) {
                        (void)close(fd);
                        return;
                }
                (void)nanosleep(&ts, NULL);
        }
        fail_msg("mosquitto does not listen");
}

static void broker_stop(void)
{
        if (broker < 0)
                return;
        (void)kill(broker, SIGKILL);
        (void)waitpid(broker, NULL, 0);
        broker = -1;
}

/* One message by hand: any retain flag, any bytes. */
static void publish(const char *topic, const char *payload, size_t len, bool retain)
{
        static const uint8_t hello[] = {0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 3, 'p', 'u', 'b'};
        static const uint8_t bye[] = {0xE0, 0};
        uint8_t ack[4], head[8];
        size_t body = 2 + strlen(topic) + len, n = 0;
        int fd = dial();
        assert_true(fd >= 0);
        assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
        assert_int_equal(recv(fd, ack, sizeof(ack), MSG_WAITALL), 4);
        assert_int_equal(ack[3], 0);
        head[n++] = (uint8_t)(0x30 | (retain ? 1 : 0));
        for (size_t v = body; n == 1 || v > 0; v >>= 7)
                head[n++] = (uint8_t)((v & 0x7F) | (v >> 7 ? 0x80 : 0));
        head[n++] = (uint8_t)(strlen(topic) >> 8);
        head[n++] = (uint8_t)strlen(topic);
        assert_int_equal(send(fd, head, n, 0), n);
        assert_int_equal(send(fd, topic, strlen(topic), 0), strlen(topic));
        for (size_t at = 0; at < len;) {
                ssize_t k = send(fd, payload + at, len - at, MSG_NOSIGNAL);
                assert_true(k > 0);
                at += (size_t)k;
        }
        assert_int_equal(send(fd, bye, sizeof(bye), MSG_NOSIGNAL), sizeof(bye));
        (void)recv(fd, ack, 1, 0); /* until the broker closes: it has read all */
        (void)close(fd);
}

static void publish_sample(double a, int64_t age_ms, bool retain)
{
        char json[128];
        int n = snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":%.3f,\"b\":2}}",
                         clk_t_ms(&clk) - age_ms, a);
        publish("hall/it/power", json, (size_t)n, retain);
}

/* ---- driver ---- */

static void on_samples(void *ctx, const struct sample *s, size_t n)
{
        (void)ctx;
        for (size_t i = 0; i < n; i++) {
                last[s[i].point] = s[i];
                *(s[i].quality == QUALITY_GOOD ? &good : &bad) += 1;
        }
}

static void on_vm(void *ctx, const char *subtopic, const char *json, size_t len)
{
        (void)ctx;
        vm_messages++;
        assert_int_equal(strlen(json), len);
        (void)snprintf(vm_subtopic, sizeof(vm_subtopic), "%s", subtopic);
        (void)snprintf(vm_json, sizeof(vm_json), "%s", json);
}

static void on_poll(void *ctx)
{
        (void)ctx;
        reached = until && until();
        if (reached || clk_real_mono_ms() >= deadline_ms)
                loop_stop(loop);
        else
                loop_timer_arm(poll_timer, 2);
}

static void run(bool (*condition)(void), int ms)
{
        until = condition;
        reached = false;
        deadline_ms = clk_real_mono_ms() + ms;
        loop_timer_arm(poll_timer, 0);
        assert_int_equal(loop_run(loop), 0);
        if (condition)
                assert_true(reached);
}

static struct mqtt_stats stats(void)
{
        struct mqtt_stats s;
        mqtt_driver_stats(driver, &s);
        return s;
}

static bool is_up(void)
{
        return stats().connected;
}

static bool is_down(void)
{
        return !stats().connected;
}

static bool has_good(void)
{
        return good >= 2;
}

static bool has_rejected(void)
{
        return stats().rejected >= 1;
}

static bool has_vm(void)
{
        return vm_messages >= 1;
}

static bool has_messages(void)
{
        return stats().messages >= 1;
}

static void on_event(void *ctx, int severity, const char *component, const char *text)
{
        (void)ctx, (void)severity, (void)component;
        rejects_told += strstr(text, "message on hall/it/power rejected: ") != NULL;
        connects_told += strstr(text, "broker connected: ") != NULL;
}

static void open_driver(bool may_publish)
{
        struct mqtt_args a = {.site = &site,
                              .loop = loop,
                              .clk = &clk,
                              .samples = {.samples = on_samples},
                              .vm = {.message = on_vm},
                              .events = {.event = on_event},
                              .may_publish_moves = may_publish};
        good = bad = vm_messages = rejects_told = connects_told = 0;
        assert_int_equal(mqtt_driver_create(&a, &driver), 0);
}

static int setup(void **state)
{
        (void)state;
        clk_init(&clk, 1.0, -1, 0);
        assert_int_equal(loop_create(&clk, &loop), 0);
        assert_int_equal(loop_timer_create(loop, true, on_poll, NULL, &poll_timer), 0);
        int fd = listening_socket(&port);
        (void)close(fd);
        for (int i = 0; i < 2; i++)
                points[i] = (struct point){.table = POINT_TABLE_MQTT,
                                           .type = POINT_FLOAT64,
                                           .scale = 1,
                                           .valid_min = (double)NAN,
                                           .valid_max = (double)NAN};
        (void)snprintf(points[0].key, sizeof(points[0].key), "a");
        (void)snprintf(points[1].key, sizeof(points[1].key), "b");
        devices[0] = (struct device){.protocol = DEVICE_MQTT, .topic = "hall/it/power"};
        site = (struct site){.point = points, .npoint = 2, .device = devices, .ndevice = 1};
        site.mqtt = (struct site_mqtt){.enabled = true, .host = "127.0.0.1", .port = port, .silence_ms = 3000};
        site.vm = (struct site_vm){.enabled = true, .topic = "hall/vm"};
        tls_lines[0] = '\0';
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        driver = mqtt_driver_free(driver);
        broker_stop();
        loop_timer_free(poll_timer);
        loop_free(loop);
        return 0;
}

static void q1_samples_flow_and_flow_again_after_a_broker_restart(void **state)
{
        (void)state;
        open_driver(false); /* the broker is not there yet */
        run(NULL, 100);
        assert_false(is_up());
        broker_start();
        run(is_up, 5000);
        publish_sample(1.5, 0, false);
        run(has_good, 3000);
        assert_true(last[0].value >= 1.5 && last[0].value <= 1.5);
        assert_int_equal(stats().samples, 2);
        assert_int_equal(stats().reconnects, 0);

        for (int round = 1; round <= 2; round++) {
                good = bad = 0;
                broker_stop();
                run(is_down, 3000);
                assert_int_equal(bad, 2); /* one bad sample a point: the gap is visible */
                assert_int_equal(last[0].reason, QR_COMM_FAIL);
                broker_start();
                int64_t t0 = clk_real_mono_ms();
                run(is_up, 6000);
                (void)printf("up again %d ms after the broker\n", (int)(clk_real_mono_ms() - t0));
                publish_sample(2.5, 0, false);
                run(has_good, 3000);
                assert_int_equal(stats().reconnects, round);
        }
}

static bool losses_told(void)
{
        return strstr(stats().last_error, "dropped unread") != NULL;
}

/* Messages that wait when the connection is lost go with it; that is counted and said. */
static void q9_messages_lost_with_the_connection_are_counted(void **state)
{
        (void)state;
        struct timespec ts = {.tv_nsec = 300000000};
        broker_start();
        open_driver(false);
        run(is_up, 5000);
        run(NULL, 100);
        uint64_t before = stats().messages;
        for (int i = 0; i < 20; i++) /* the loop does not run */
                publish_sample(1.0, 0, false);
        (void)nanosleep(&ts, NULL);
        broker_stop();
        (void)nanosleep(&ts, NULL);
        run(is_down, 3000);
        assert_int_equal(stats().messages - before + stats().dropped, 20);
        assert_true(stats().dropped > 0);
        run(losses_told, 3000);
}

static void q6_malformed_messages_are_counted(void **state)
{
        (void)state;
        broker_start();
        open_driver(false);
        run(is_up, 5000);
        static const char *const texts[] = {"{", "[[[[[[[[[[[[[[[[[[[[", "\xff\xfe", "{\"values\":{}}"};
        for (size_t i = 0; i < 4; i++)
                publish("hall/it/power", texts[i], strlen(texts[i]), false);
        char *big = malloc(400 * 1024);
        assert_non_null(big);
        memset(big, ' ', 400 * 1024);
        publish("hall/it/power", big, 400 * 1024, false);
        free(big);
        publish_sample(1.0, 0, false); /* and the next good one is taken */
        run(has_good, 3000);
        assert_int_equal(stats().rejected, 5);
        assert_int_equal(rejects_told, 1); /* one a minute */
        assert_int_equal(connects_told, 1);
        assert_int_equal(bad, 0);
        assert_true(is_up());
}

static void q5_retained_sample_counts_only_when_fresh(void **state)
{
        (void)state;
        broker_start();
        publish_sample(7, 61000, true);
        open_driver(false);
        run(has_messages, 5000);
        run(NULL, 20);
        assert_int_equal(good + bad, 0);
        driver = mqtt_driver_free(driver);
        publish_sample(8, 0, true);
        open_driver(false);
        run(has_good, 5000);
        assert_true(last[0].value >= 8 && last[0].value <= 8);
}

static void vm_messages_pass_and_moves_need_leave(void **state)
{
        (void)state;
        broker_start();
        publish("hall/vm/move/result", "{\"old\":1}", 9, true); /* retained: never a command or a result */
        open_driver(true);
        run(is_up, 5000);
        run(has_rejected, 3000);
        assert_int_equal(vm_messages, 0);
        publish("hall/vm/inventory", "{\"hosts\":[]}", 12, false);
        run(has_vm, 3000);
        assert_string_equal(vm_subtopic, "inventory");
        assert_string_equal(vm_json, "{\"hosts\":[]}");

        /* What we publish arrives at the broker: move/result is a topic we listen to, so it comes back. */
        vm_messages = 0;
        assert_int_equal(mqtt_driver_publish_vm(driver, "move/result", "{\"id\":\"1\"}"), 0);
        run(has_vm, 3000);
        assert_string_equal(vm_subtopic, "move/result");
        assert_string_equal(vm_json, "{\"id\":\"1\"}");
        broker_stop();
        run(is_down, 3000);
        assert_int_equal(mqtt_driver_publish_vm(driver, "move/request", "{}"), -EAGAIN);

        driver = mqtt_driver_free(driver);
        open_driver(false);
        assert_int_equal(mqtt_driver_publish_vm(driver, "move/request", "{}"), -EPERM);
}

static bool many_good(void)
{
        return good >= 2000;
}

static void a_burst_arrives_whole(void **state)
{
        (void)state;
        broker_start();
        open_driver(false);
        run(is_up, 5000);
        /* One connection, 1000 messages of two samples. */
        static const uint8_t hello[] = {0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 3, 'p', 'u', 'b'};
        uint8_t ack[4], packet[200];
        int fd = dial();
        assert_int_equal(send(fd, hello, sizeof(hello), 0), sizeof(hello));
        assert_int_equal(recv(fd, ack, sizeof(ack), MSG_WAITALL), 4);
        for (int i = 0; i < 1000; i++) {
                char json[100];
                int n = snprintf(json, sizeof(json), "{\"timestamp\":%" PRId64 ",\"values\":{\"a\":1,\"b\":2}}",
                                 clk_t_ms(&clk));
                packet[0] = 0x30;
                packet[1] = (uint8_t)(2 + 13 + n);
                packet[2] = 0;
                packet[3] = 13;
                memcpy(packet + 4, "hall/it/power", 13);
                memcpy(packet + 17, json, (size_t)n);
                assert_int_equal(send(fd, packet, 17 + (size_t)n, 0), 17 + n);
        }
        run(many_good, 5000);
        (void)close(fd);
        assert_int_equal(stats().dropped, 0);
        assert_int_equal(stats().messages, 1000);
}

/* ---- TLS ---- */

static bool make_certificates(void)
{
        char cmd[1024];
        (void)snprintf(
            cmd, sizeof(cmd),
            "cd %s && for n in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
            "-keyout $n.key -out $n.crt -days 2 -subj /CN=$n >/dev/null 2>&1 || exit 1; done; "
            "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout s.key -out s.csr -subj "
            "/CN=localhost >/dev/null 2>&1 && printf 'subjectAltName=DNS:localhost' > ext && "
            "openssl x509 -req -in s.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out s.crt -days 2 -extfile ext "
            ">/dev/null 2>&1 && chmod 644 *.key",
            dir);
        return system(cmd) == 0; /* a fixed command in our own directory */
}

static void q8_tls_with_the_right_authority_only(void **state)
{
        (void)state;
        if (!make_certificates())
                skip(); /* no openssl program */
        (void)snprintf(tls_lines, sizeof(tls_lines), "certfile %s/s.crt\nkeyfile %s/s.key\n", dir, dir);
        broker_start();
        (void)snprintf(site.mqtt.host, sizeof(site.mqtt.host), "localhost");
        (void)snprintf(site.mqtt.tls_ca_file, sizeof(site.mqtt.tls_ca_file), "%s/ca.crt", dir);
        open_driver(false);
        run(is_up, 5000);
        driver = mqtt_driver_free(driver);

        (void)snprintf(site.mqtt.tls_ca_file, sizeof(site.mqtt.tls_ca_file), "%s/other.crt", dir);
        open_driver(false);
        run(NULL, 700);
        assert_false(is_up());
        assert_true(stats().last_error[0] != '\0');
        driver = mqtt_driver_free(driver);

        /* The name is checked too: the certificate is for localhost. */
        (void)snprintf(site.mqtt.tls_ca_file, sizeof(site.mqtt.tls_ca_file), "%s/ca.crt", dir);
        (void)snprintf(site.mqtt.host, sizeof(site.mqtt.host), "127.0.0.1");
        open_driver(false);
        run(NULL, 700);
        assert_false(is_up());
}

/* ---- a broker that is not one ---- */

/* Q7: accepts, answers CONNECT (and SUBSCRIBE, if `suback`), then says nothing more. A thread of its own would race
 * with nothing here, but the loop can do it: a non-blocking listener polled by a timer. */
static struct {
        int fd, conn;
        bool suback;
        int connections, subscribes;
        struct loop_timer *timer;
} mute;

static void on_mute(void *ctx)
{
        (void)ctx;
        uint8_t b[512];
        loop_timer_arm(mute.timer, 5);
        int c = accept(mute.fd, NULL, NULL);
        if (c >= 0) {
                if (mute.conn >= 0)
                        (void)close(mute.conn);
                mute.conn = c;
                mute.connections++;
        }
        ssize_t n = mute.conn >= 0 ? recv(mute.conn, b, sizeof(b), MSG_DONTWAIT) : 0;
        if (n < 4)
                return;
        if (b[0] == 0x10) {
                static const uint8_t connack[] = {0x20, 2, 0, 0};
                assert_int_equal(send(mute.conn, connack, sizeof(connack), MSG_NOSIGNAL), sizeof(connack));
        } else if (b[0] == 0x82) {
                mute.subscribes++;
                const uint8_t suback[] = {0x90, 7, b[2], b[3], 1, 1, 1, 1, 1}; /* echo, device, three of the VMs */
                if (mute.suback)
                        assert_int_equal(send(mute.conn, suback, sizeof(suback), MSG_NOSIGNAL), sizeof(suback));
        }
}

static bool rebuilt_twice(void)
{
        return mute.connections >= 2;
}

static void mute_start(bool suback, int silence_ms)
{
        memset(&mute, 0, sizeof(mute));
        mute.fd = listening_socket(&port);
        (void)fcntl(mute.fd, F_SETFL, O_NONBLOCK);
        mute.conn = -1;
        mute.suback = suback;
        site.mqtt.port = port;
        site.mqtt.silence_ms = silence_ms;
        assert_int_equal(loop_timer_create(loop, true, on_mute, NULL, &mute.timer), 0);
        loop_timer_arm(mute.timer, 0);
        open_driver(false);
}

static void mute_stop(void)
{
        driver = mqtt_driver_free(driver);
        loop_timer_free(mute.timer);
        if (mute.conn >= 0)
                (void)close(mute.conn);
        (void)close(mute.fd);
}

/* A broker that is not to be trusted: topics of 60000 bytes, which nobody subscribed to, count against the queue's
 * bytes. */
static void q6_long_topics_fill_the_queue_too(void **state)
{
        (void)state;
        enum { TOPIC = 60000, MESSAGES = 400 };
        static uint8_t packet[4 + 2 + TOPIC + 1];
        struct timespec ts = {.tv_nsec = 10000000};
        size_t left = sizeof(packet) - 4;

        mute_start(true, 30000);
        run(is_up, 3000);
        packet[0] = 0x30;
        for (int i = 1; i <= 3; i++, left /= 128)
                packet[i] = (uint8_t)(left % 128 | (i < 3 ? 0x80 : 0));
        packet[4] = TOPIC >> 8;
        packet[5] = TOPIC & 0xff;
        memset(packet + 6, 't', TOPIC);
        (void)fcntl(mute.conn, F_SETFL, 0);
        for (int i = 0; i < MESSAGES; i++) /* 24 MB; the loop does not run */
                for (size_t at = 0; at < sizeof(packet);) {
                        ssize_t k = send(mute.conn, packet + at, sizeof(packet) - at, MSG_NOSIGNAL);
                        assert_true(k > 0);
                        at += (size_t)k;
                }
        for (int i = 0; i < 500 && stats().dropped < 100; i++)
                (void)nanosleep(&ts, NULL);
        (void)printf("%d of %d dropped\n", (int)stats().dropped, MESSAGES);
        assert_true(stats().dropped >= 100); /* 16 MiB are 279 of them */
        mute_stop();
}

static void q7_connected_but_mute_is_rebuilt(void **state)
{
        (void)state;
        for (int suback = 0; suback < 2; suback++) {
                mute_start(suback == 1, 600);
                if (suback)
                        run(is_up, 3000);
                int64_t t0 = clk_real_mono_ms();
                run(rebuilt_twice, 6000);
                (void)printf("rebuilt after %d ms: %s\n", (int)(clk_real_mono_ms() - t0), stats().last_error);
                assert_true(mute.subscribes >= 1);
                assert_int_equal(bad, suback ? 2 : 0);
                mute_stop();
        }
}

/* Leaving does not wait for a name: last, because paho's calls wait for it from here on. */
static void leaving_does_not_wait_for_dns(void **state)
{
        (void)state;
        (void)snprintf(site.mqtt.host, sizeof(site.mqtt.host), "%s", SLOW_NAME);
        open_driver(false);
        run(NULL, 300);
        int64_t t0 = clk_real_mono_ms();
        driver = mqtt_driver_free(driver);
        int64_t took = clk_real_mono_ms() - t0;
        (void)printf("left after %d ms, the name takes %d s\n", (int)took, SLOW_S);
        assert_true(took < 5000);
}

int main(void)
{
        for (size_t i = 0; i < sizeof(mosquitto_paths) / sizeof(mosquitto_paths[0]) && !mosquitto; i++)
                if (access(mosquitto_paths[i], X_OK) == 0)
                        mosquitto = mosquitto_paths[i];
        if (!mosquitto) {
                (void)fprintf(stderr, "no mosquitto: skipped\n");
                return 77;
        }
        if (!mkdtemp(dir))
                return 1;
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(q1_samples_flow_and_flow_again_after_a_broker_restart, setup, teardown),
            cmocka_unit_test_setup_teardown(q9_messages_lost_with_the_connection_are_counted, setup, teardown),
            cmocka_unit_test_setup_teardown(q6_malformed_messages_are_counted, setup, teardown),
            cmocka_unit_test_setup_teardown(q6_long_topics_fill_the_queue_too, setup, teardown),
            cmocka_unit_test_setup_teardown(q5_retained_sample_counts_only_when_fresh, setup, teardown),
            cmocka_unit_test_setup_teardown(vm_messages_pass_and_moves_need_leave, setup, teardown),
            cmocka_unit_test_setup_teardown(a_burst_arrives_whole, setup, teardown),
            cmocka_unit_test_setup_teardown(q7_connected_but_mute_is_rebuilt, setup, teardown),
            cmocka_unit_test_setup_teardown(q8_tls_with_the_right_authority_only, setup, teardown),
            cmocka_unit_test_setup_teardown(leaving_does_not_wait_for_dns, setup, teardown),
        };
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        char cmd[64];
        (void)snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
        return system(cmd) == 0 ? r : 1;
}
