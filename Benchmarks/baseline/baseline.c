/* The base line of `make bench`: the least a server can do to deliver tokens from Redis to SSE connections.
 *
 * One thread, one epoll set, one Redis connection in subscribe mode. A pushed message is parsed plainly, its viewers
 * are found by request id, and each frame leaves in one write(2). There is no catch-up, no back-pressure (a reader
 * whose socket is full is dropped), no timeout, no authentication: whatever Lemma costs above this is what those cost.
 *
 *     baseline -p <http port> -r <redis host>:<redis port>
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_LENGTH 36
#define CHANNEL_PREFIX "lemma:{p0}:live:"
#define PATH_PREFIX "GET /api/math/stream/"
#define RESPONSE                                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\nretry: 2000\n"

enum { EVENTS_MAX = 256, REQUEST_BYTES_MAX = 2048, PUSH_BYTES_MAX = 1 << 18, FRAME_BYTES_MAX = 1 << 16 };

/* A viewer. Linked into its bucket from the request on; `subscribed` once Redis has confirmed the channel. */
struct viewer {
    struct viewer *next;
    int descriptor;
    bool linked, subscribed;
    char id[ID_LENGTH];
};

static struct viewer **buckets;
static size_t bucket_count = 256, viewer_count;
static struct viewer *closed; /* freed when no event of the current batch can name them any more */
static int epoll_descriptor, redis_descriptor;
static char push[PUSH_BYTES_MAX];
static size_t push_length;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static size_t bucket_of(const char *id, size_t count) {
    uint64_t hash = 14695981039346656037u;
    for (int index = 0; index < ID_LENGTH; index++) hash = (hash ^ (unsigned char)id[index]) * 1099511628211u;
    return (hash ^ hash >> 32) & (count - 1);
}

static void grow(void) {
    size_t count = bucket_count * 2;
    struct viewer **table = calloc(count, sizeof *table);
    if (!table) die("calloc");
    for (size_t index = 0; index < bucket_count; index++) {
        for (struct viewer *viewer = buckets[index], *next; viewer; viewer = next) {
            size_t bucket = bucket_of(viewer->id, count);
            next = viewer->next;
            viewer->next = table[bucket];
            table[bucket] = viewer;
        }
    }
    free(buckets);
    buckets = table;
    bucket_count = count;
}

static struct viewer *find(struct viewer *from, const char *id) {
    while (from && memcmp(from->id, id, ID_LENGTH) != 0) from = from->next;
    return from;
}

static void command(const char *name, const char *id) {
    char text[160];
    int length = snprintf(text, sizeof text, "*2\r\n$%zu\r\n%s\r\n$%zu\r\n" CHANNEL_PREFIX "%.*s\r\n", strlen(name),
                          name, sizeof CHANNEL_PREFIX - 1 + ID_LENGTH, ID_LENGTH, id);
    if (send(redis_descriptor, text, (size_t)length, MSG_NOSIGNAL) != length) die("redis");
}

static void drop(struct viewer *viewer) {
    if (viewer->descriptor < 0) return;
    if (viewer->linked) {
        struct viewer **link = &buckets[bucket_of(viewer->id, bucket_count)];
        while (*link != viewer) link = &(*link)->next;
        *link = viewer->next;
        viewer_count--;
        if (!find(buckets[bucket_of(viewer->id, bucket_count)], viewer->id)) command("SUNSUBSCRIBE", viewer->id);
    }
    close(viewer->descriptor);
    viewer->descriptor = -1;
    viewer->next = closed;
    closed = viewer;
}

static void send_to(struct viewer *viewer, const char *bytes, size_t length) {
    if (write(viewer->descriptor, bytes, length) != (ssize_t)length) drop(viewer);
}

static void deliver(const char *id, const char *bytes, size_t length) {
    for (struct viewer *viewer = find(buckets[bucket_of(id, bucket_count)], id), *next; viewer; viewer = next) {
        next = find(viewer->next, id);
        send_to(viewer, bytes, length);
    }
}

static void confirm(const char *id) {
    for (struct viewer *viewer = find(buckets[bucket_of(id, bucket_count)], id), *next; viewer; viewer = next) {
        next = find(viewer->next, id);
        if (viewer->subscribed) continue;
        viewer->subscribed = true;
        send_to(viewer, RESPONSE, sizeof RESPONSE - 1);
    }
}

/* `1-5 token {"text":"2 "}` becomes `id: 1-5\nevent: token\ndata: {"text":"2 "}\n\n`. */
static void frame(const char *id, const char *payload, size_t length) {
    static char text[FRAME_BYTES_MAX + 32];
    const char *name = memchr(payload, ' ', length);
    const char *data = name ? memchr(name + 1, ' ', length - (size_t)(name + 1 - payload)) : NULL;
    if (!data || length > FRAME_BYTES_MAX) return;
    char *end = text;
    end = mempcpy(end, "id: ", 4);
    end = mempcpy(end, payload, (size_t)(name - payload));
    end = mempcpy(end, "\nevent: ", 8);
    end = mempcpy(end, name + 1, (size_t)(data - name - 1));
    end = mempcpy(end, "\ndata: ", 7);
    end = mempcpy(end, data + 1, length - (size_t)(data + 1 - payload));
    end = mempcpy(end, "\n\n", 2);
    deliver(id, text, (size_t)(end - text));
}

/* One `<type><number>\r\n` at `*at`; false when it is not there completely. */
static bool number(const char **at, const char *end, char type, size_t *value) {
    const char *cursor = *at;
    if (cursor == end) return false;
    if (*cursor != type) {
        fprintf(stderr, "unexpected reply of redis: %.*s\n", (int)(end - cursor > 80 ? 80 : end - cursor), cursor);
        exit(1);
    }
    for (*value = 0, cursor++; cursor < end && *cursor >= '0' && *cursor <= '9'; cursor++)
        *value = *value * 10 + (size_t)(*cursor - '0');
    if (end - cursor < 2) return false;
    *at = cursor + 2;
    return true;
}

static bool bulk(const char **at, const char *end, const char **text, size_t *length) {
    if (!number(at, end, '$', length) || (size_t)(end - *at) < *length + 2) return false;
    *text = *at;
    *at += *length + 2;
    return true;
}

/* One pushed array of three: `smessage channel payload`, or `(s|un)subscribe channel count`. */
static bool message(const char **at, const char *end) {
    const char *cursor = *at, *kind, *channel, *payload;
    size_t count, kind_length, channel_length, payload_length;
    if (!number(&cursor, end, '*', &count) || !bulk(&cursor, end, &kind, &kind_length)) return false;
    if (!bulk(&cursor, end, &channel, &channel_length)) return false;
    const char *id = channel + sizeof CHANNEL_PREFIX - 1;
    if (kind_length == 8) {
        if (!bulk(&cursor, end, &payload, &payload_length)) return false;
        frame(id, payload, payload_length);
    } else {
        if (!number(&cursor, end, ':', &count)) return false;
        if (kind_length == 10) confirm(id);
    }
    *at = cursor;
    return true;
}

static void read_redis(void) {
    ssize_t got = recv(redis_descriptor, push + push_length, sizeof push - push_length, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) die("redis");
    push_length += (size_t)got;
    const char *at = push, *end = push + push_length;
    while (message(&at, end)) {}
    push_length = (size_t)(end - at);
    memmove(push, at, push_length);
}

/* The request line and headers are taken to arrive in one piece, as every client of the benchmark sends them. */
static void read_viewer(struct viewer *viewer) {
    char request[REQUEST_BYTES_MAX];
    ssize_t got = read(viewer->descriptor, request, sizeof request);
    if (got < 0 && errno == EAGAIN) return;
    size_t prefix = sizeof PATH_PREFIX - 1;
    bool good = got >= (ssize_t)(prefix + ID_LENGTH) && memcmp(request, PATH_PREFIX, prefix) == 0;
    if (!good || viewer->linked) {
        drop(viewer);
        return;
    }
    memcpy(viewer->id, request + prefix, ID_LENGTH);
    if (++viewer_count > bucket_count) grow();
    struct viewer **bucket = &buckets[bucket_of(viewer->id, bucket_count)], *other = find(*bucket, viewer->id);
    viewer->next = *bucket;
    *bucket = viewer;
    viewer->linked = true;
    if (!other) command("SSUBSCRIBE", viewer->id);
    else if (other->subscribed) confirm(viewer->id);
}

static void watch(int descriptor, void *owner) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, descriptor, &event) < 0) die("epoll_ctl");
}

static void accept_viewers(int listener) {
    for (;;) {
        int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (descriptor < 0) return;
        struct viewer *viewer = calloc(1, sizeof *viewer);
        if (!viewer) die("calloc");
        viewer->descriptor = descriptor;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(descriptor, viewer);
    }
}

static int listen_on(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) die("listen");
    return listener;
}

static int connect_redis(const char *endpoint) {
    char host[64];
    int port, on = 1, descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sscanf(endpoint, "%63[^:]:%d", host, &port) != 2) die("-r host:port");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("-r host:port");
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) die("connect redis");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return descriptor;
}

int main(int count, char **arguments) {
    int port = 8081, option, listener;
    const char *redis = "127.0.0.1:6379";
    while ((option = getopt(count, arguments, "p:r:")) != -1) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'r') redis = optarg;
        else return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    buckets = calloc(bucket_count, sizeof *buckets);
    epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
    redis_descriptor = connect_redis(redis);
    listener = listen_on(port);
    if (!buckets || epoll_descriptor < 0) die("start");
    watch(redis_descriptor, &redis_descriptor);
    watch(listener, &listener);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int ready = epoll_wait(epoll_descriptor, events, EVENTS_MAX, -1);
        for (int index = 0; index < ready; index++) {
            void *owner = events[index].data.ptr;
            if (owner == &redis_descriptor) read_redis();
            else if (owner == &listener) accept_viewers(listener);
            else if (((struct viewer *)owner)->descriptor >= 0) read_viewer(owner);
        }
        for (struct viewer *next; closed; closed = next) {
            next = closed->next;
            free(closed);
        }
    }
}
