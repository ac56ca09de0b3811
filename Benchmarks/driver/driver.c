#define _GNU_SOURCE
#include "driver.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { SETTLE_SECONDS = 2, DRAIN_SECONDS = 30 };

struct options options = {.http = {"127.0.0.1", 8080}, .redis = {"127.0.0.1", 6379}, .streams = 1000, .seconds = 10,
                          .warm_up = 1, .tick = 1000};
struct stream *streams;
struct counts counts;

static const char usage[] =
    "usage: driver --http HOST:PORT --redis HOST:PORT --pid PID [--redis-pid PID] [--submit]\n"
    "              [--streams N] [--rate TOKENS_PER_SECOND] [--seconds S] [--warm-up S] [--tick MICROSECONDS]\n"
    "Opens N event streams, publishes tokens to them through Redis for S seconds, and prints one JSON object.\n"
    "With --rate 0 the connections stay idle and only memory is measured. --submit: the requests are POSTed first.\n";

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void die(const char *what) {
    fprintf(stderr, "driver: %s", what);
    fprintf(stderr, errno ? ": %s\n" : "\n", strerror(errno));
    exit(1);
}

/* Connects from 127.0.0.<source> (0: any). Connections over the loopback are established at once. */
int connect_to(const struct endpoint *to, int source, bool blocking) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)to->port)};
    int on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || inet_pton(AF_INET, to->host, &address.sin_addr) != 1) die(to->host);
    if (source > 0) {
        struct sockaddr_in local = {.sin_family = AF_INET};
        local.sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)source);
        setsockopt(descriptor, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        if (bind(descriptor, (struct sockaddr *)&local, sizeof local) < 0) die("bind");
    }
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) die(to->host);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct timeval patience = {.tv_sec = 30};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!blocking && fcntl(descriptor, F_SETFL, O_NONBLOCK) < 0) die("fcntl");
    return descriptor;
}

static struct endpoint endpoint(const char *text) {
    struct endpoint result;
    if (sscanf(text, "%47[^:]:%d", result.host, &result.port) != 2) die(text);
    return result;
}

static void read_options(int count, char **arguments) {
    static const struct option known[] = {
        {"http", required_argument, NULL, 'h'},    {"redis", required_argument, NULL, 'r'},
        {"pid", required_argument, NULL, 'p'},     {"redis-pid", required_argument, NULL, 'd'},
        {"streams", required_argument, NULL, 'n'}, {"rate", required_argument, NULL, 't'},
        {"seconds", required_argument, NULL, 's'}, {"warm-up", required_argument, NULL, 'w'},
        {"tick", required_argument, NULL, 'k'},    {"submit", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'h': options.http = endpoint(optarg); break;
        case 'r': options.redis = endpoint(optarg); break;
        case 'p': options.process = atoi(optarg); break;
        case 'd': options.redis_process = atoi(optarg); break;
        case 'n': options.streams = atoi(optarg); break;
        case 't': options.rate = atoi(optarg); break;
        case 's': options.seconds = atoi(optarg); break;
        case 'w': options.warm_up = atoi(optarg); break;
        case 'k': options.tick = atoi(optarg); break;
        case 'j': options.submit = true; break;
        default: fputs(usage, stderr); exit(2);
        }
    }
    bool valid = options.process > 0 && options.streams > 0 && options.streams <= STREAMS_MAX && options.rate >= 0;
    bool timed = options.seconds > 0 && options.warm_up >= 0 && options.tick >= 50 && options.tick <= 100000;
    if (!valid || !timed || optind != count) {
        fputs(usage, stderr);
        exit(2);
    }
}

static void tick_every(int descriptor, long nanoseconds) {
    struct itimerspec interval = {{0, nanoseconds}, {0, nanoseconds}};
    timerfd_settime(descriptor, 0, &interval, NULL);
}

/* Receives for some seconds, publishing at the given rate; what a late tick missed is made up for by the next. */
static void run(int timer, int seconds, int rate) {
    uint64_t start = now(), length = (uint64_t)seconds * 1000000000u, sent = 0, ticks;
    for (uint64_t elapsed = 0; elapsed < length; elapsed = now() - start) {
        if (read(timer, &ticks, sizeof ticks) == sizeof ticks && rate > 0 && !publisher_is_behind()) {
            uint64_t due = (uint64_t)((double)elapsed / 1e9 * rate);
            publisher_publish(due - sent);
            sent = due;
        }
        publisher_pump();
        viewers_pump(100);
    }
}

/* What is read before and after the measured seconds. */
struct reading {
    struct counts counts;
    uint64_t time, server, redis, driver;
};

static struct reading take_reading(void) {
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    struct reading reading = {.counts = counts, .time = now(), .server = process_cpu_microseconds(options.process)};
    if (options.redis_process > 0) reading.redis = process_cpu_microseconds(options.redis_process);
    reading.driver = (uint64_t)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) * 1000000 +
                     (uint64_t)(own.ru_utime.tv_usec + own.ru_stime.tv_usec);
    return reading;
}

static double per(uint64_t microseconds, double tokens) { return tokens > 0 ? (double)microseconds / tokens : 0; }

static void report(struct reading before, struct reading after, uint64_t resident_before, uint64_t resident_after) {
    uint64_t delivered = after.counts.delivered - before.counts.delivered;
    double seconds = (double)(after.time - before.time) / 1e9, tokens = (double)delivered;
    printf("{\"streams\": %d, \"rate\": %d, \"seconds\": %.3f, ", options.streams, options.rate, seconds);
    printf("\"published\": %llu, \"delivered\": %llu, ", (unsigned long long)counts.published,
           (unsigned long long)counts.delivered);
    printf("\"misordered\": %llu, \"unheard\": %llu, \"redisErrors\": %llu, \"closed\": %llu, ",
           (unsigned long long)counts.misordered, (unsigned long long)counts.unheard,
           (unsigned long long)counts.redis_errors, (unsigned long long)counts.closed);
    printf("\"tokensPerSecond\": %.0f, \"serverMicrosPerToken\": %.3f, \"redisMicrosPerToken\": %.3f, ",
           (double)delivered / seconds, per(after.server - before.server, tokens),
           per(after.redis - before.redis, tokens));
    printf("\"driverMicrosPerToken\": %.3f, ", per(after.driver - before.driver, tokens));
    printf("\"latencyMicrosP50\": %.1f, \"latencyMicrosP99\": %.1f, \"latencyMicrosMax\": %.1f, ",
           viewers_latency(0.5), viewers_latency(0.99), viewers_latency(1));
    printf("\"serverMillis\": %.1f, ", (double)(after.server - before.server) / 1000);
    printf("\"residentBefore\": %llu, \"residentAfter\": %llu, \"residentPerConnection\": %.1f}\n",
           (unsigned long long)resident_before, (unsigned long long)resident_after,
           ((double)resident_after - (double)resident_before) / options.streams);
}

int main(int count, char **arguments) {
    read_options(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    streams = calloc((size_t)options.streams, sizeof *streams);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!streams || timer < 0) die("start");
    make_requests();
    publisher_open();
    uint64_t resident_before = process_resident_bytes(options.process);
    viewers_open();
    viewers_watch(timer);
    viewers_watch(publisher_descriptor());
    publisher_start_streams();
    tick_every(timer, options.tick * 1000L);
    run(timer, SETTLE_SECONDS, 0);
    uint64_t resident_after = process_resident_bytes(options.process);
    run(timer, options.rate > 0 ? options.warm_up : 0, options.rate);
    counts.unheard = 0;
    viewers_reset_latencies();
    struct reading before = take_reading();
    run(timer, options.seconds, options.rate);
    uint64_t deadline = now() + DRAIN_SECONDS * 1000000000ull;
    while (counts.delivered < counts.published && now() < deadline) {
        publisher_pump();
        viewers_pump(1);
    }
    struct reading after = take_reading();
    report(before, after, resident_before, resident_after);
    publisher_remove_streams();
    return counts.delivered == counts.published && counts.misordered == 0 && counts.redis_errors == 0 ? 0 : 1;
}
