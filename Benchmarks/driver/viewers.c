#define _GNU_SOURCE
#include "driver.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 512, READ_BYTES_MAX = 1 << 16, CARRY_BYTES_MAX = 1 << 16, OPENING_MAX = 256 };
enum { SAMPLES_MAX = 1 << 23, PER_ADDRESS = 8000 };

static int epoll_descriptor = -1, answered;
static uint32_t *samples; /* ns */
static size_t sample_count;

/* Each frame of a token event carries one timestamp, or several joined ones: `data: {"text":"123 456 "}`. */
static void take_latencies(const char *at, const char *end, uint64_t arrival) {
    while (at < end) {
        uint64_t sent = 0;
        const char *start = at;
        for (; at < end && *at >= '0' && *at <= '9'; at++) sent = sent * 10 + (uint64_t)(*at - '0');
        if (at == start) return;
        uint64_t latency = arrival > sent ? arrival - sent : 0;
        if (sample_count < SAMPLES_MAX) samples[sample_count++] = latency > UINT32_MAX ? UINT32_MAX : (uint32_t)latency;
        counts.delivered++;
        at++;
    }
}

static void take_frame(struct stream *stream, const char *frame, const char *end, uint64_t arrival) {
    static const char token[] = "event: token\ndata: {\"text\":\"", first[] = "id: 1-";
    const char *line_end = memchr(frame, '\n', (size_t)(end - frame));
    if (!line_end || memcmp(frame, first, sizeof first - 1) != 0) return;
    if ((size_t)(end - line_end) < sizeof token || memcmp(line_end + 1, token, sizeof token - 1) != 0) return;
    uint64_t sequence = strtoull(frame + sizeof first - 1, NULL, 10);
    if (sequence != stream->delivered + 1) counts.misordered++;
    stream->delivered = sequence;
    take_latencies(line_end + sizeof token, end, arrival);
}

/* Consumes whole frames; returns how many bytes of an unfinished one remain at the end. */
static size_t take_frames(struct stream *stream, const char *at, size_t length, uint64_t arrival) {
    const char *end = at + length, *blank;
    while (at < end && (blank = memmem(at, (size_t)(end - at), "\n\n", 2))) {
        take_frame(stream, at, blank, arrival);
        at = blank + 2;
    }
    return (size_t)(end - at);
}

/* Removes chunk framing in place; returns the length of the data. Any byte may be the last of a read. */
static size_t dechunk(struct stream *stream, char *text, size_t length) {
    char *to = text;
    for (char *from = text, *end = text + length; from < end;) {
        if (stream->chunk == CHUNK_DATA) {
            size_t part = (size_t)(end - from) < stream->chunk_left ? (size_t)(end - from) : stream->chunk_left;
            memmove(to, from, part);
            to += part;
            from += part;
            stream->chunk_left -= part;
            if (stream->chunk_left == 0) stream->chunk = CHUNK_END;
            continue;
        }
        char byte = *from++;
        bool sized = stream->chunk == CHUNK_SIZE && stream->chunk_left > 0;
        if (byte == '\n') stream->chunk = sized ? CHUNK_DATA : CHUNK_SIZE;
        else if (byte >= '0' && byte <= '9') stream->chunk_left = stream->chunk_left * 16 + (size_t)(byte - '0');
        else if (byte != '\r') stream->chunk_left = stream->chunk_left * 16 + (size_t)((byte | 0x20) - 'a' + 10);
    }
    return (size_t)(to - text);
}

static void keep(struct stream *stream, const char *text, size_t length) {
    if (length > CARRY_BYTES_MAX) die("an event is too long");
    if (length > 0) {
        stream->carry = realloc(stream->carry, length);
        if (!stream->carry) die("realloc");
        memcpy(stream->carry, text, length);
    }
    stream->carry_length = length;
}

/* Returns the length of the response head, 0 while it is unfinished. */
static size_t take_head(struct stream *stream, char *text, size_t length) {
    char *end = memmem(text, length, "\r\n\r\n", 4);
    if (!end) return 0;
    *end = 0;
    if (strncmp(text, "HTTP/1.1 200", 12) != 0) die(text);
    stream->chunked = strcasestr(text, "\r\ntransfer-encoding: chunked") != NULL;
    stream->phase = IN_BODY;
    answered++;
    return (size_t)(end + 4 - text);
}

static void read_stream(struct stream *stream) {
    static char buffer[CARRY_BYTES_MAX + READ_BYTES_MAX + 1];
    size_t kept = stream->carry_length;
    ssize_t got = recv(stream->descriptor, buffer + kept, READ_BYTES_MAX, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        counts.closed++;
        close(stream->descriptor);
        stream->descriptor = -1;
        return;
    }
    uint64_t arrival = now();
    char *fresh = buffer + kept;
    size_t length = (size_t)got;
    if (kept > 0) memcpy(buffer, stream->carry, kept);
    if (stream->phase == AWAITING_HEAD) {
        size_t head = take_head(stream, buffer, kept + length);
        if (head == 0) return keep(stream, buffer, kept + length);
        length = kept + length - head;
        memmove(buffer, buffer + head, length);
        fresh = buffer;
        kept = 0;
    }
    if (stream->chunked) length = dechunk(stream, fresh, length);
    size_t rest = take_frames(stream, buffer, kept + length, arrival);
    keep(stream, buffer + kept + length - rest, rest);
}

void viewers_watch(int descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, descriptor, &event) < 0) die("epoll_ctl");
}

void viewers_pump(int timeout_milliseconds) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll_descriptor, events, EVENTS_MAX, timeout_milliseconds);
    for (int index = 0; index < ready; index++)
        if (events[index].data.ptr) read_stream(events[index].data.ptr);
}

static void open_stream(struct stream *stream, int source) {
    char request[URL_BYTES_MAX + 128];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: text/event-stream\r\n\r\n", stream->url,
                          options.http.host, options.http.port);
    stream->descriptor = connect_to(&options.http, source, false);
    if (send(stream->descriptor, request, (size_t)length, MSG_NOSIGNAL) != length) die("viewer");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, stream->descriptor, &event) < 0) die("epoll_ctl");
}

void viewers_open(void) {
    epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    if (epoll_descriptor < 0 || !samples) die("viewers");
    uint64_t deadline = now() + 60000000000u;
    for (int opened = 0; answered < options.streams;) {
        for (; opened < options.streams && opened - answered < OPENING_MAX; opened++)
            open_stream(&streams[opened], 2 + opened / PER_ADDRESS);
        viewers_pump(100);
        if (now() > deadline) die("not every stream was answered within 60 s");
    }
}

void viewers_reset_latencies(void) { sample_count = 0; }

static int ascending(const void *left, const void *right) {
    uint32_t first = *(const uint32_t *)left, second = *(const uint32_t *)right;
    return first < second ? -1 : first > second;
}

double viewers_latency(double quantile) {
    if (sample_count == 0) return 0;
    qsort(samples, sample_count, sizeof *samples, ascending);
    return samples[(size_t)(quantile * (double)(sample_count - 1))] / 1000.0;
}
