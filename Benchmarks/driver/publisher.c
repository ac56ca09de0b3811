#define _GNU_SOURCE
#include "driver.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PENDING_BYTES_MAX = 1 << 23, BEHIND_BYTES = 1 << 20, COMMAND_BYTES_MAX = 1024 };

static int redis;
static char pending[PENDING_BYTES_MAX];
static size_t pending_start, pending_end;
static bool at_line_start = true, in_integer;
static uint64_t next_stream;

void publisher_open(void) { redis = connect_to(&options.redis, 0, false); }

int publisher_descriptor(void) { return redis; }

bool publisher_is_behind(void) { return pending_end - pending_start > BEHIND_BYTES; }

static void send_pending(void) {
    while (pending_start < pending_end) {
        ssize_t sent = send(redis, pending + pending_start, pending_end - pending_start, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) die("redis");
        pending_start += (size_t)sent;
    }
    if (pending_start == pending_end) pending_start = pending_end = 0;
}

/* Replies carry nothing the driver needs but errors (`-…`) and the receivers of each push (`:1`). */
static void read_replies(void) {
    char text[65536];
    for (;;) {
        ssize_t got = recv(redis, text, sizeof text, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) die("redis");
        for (ssize_t index = 0; index < got; index++) {
            if (in_integer && text[index] == '0') counts.unheard++;
            in_integer = at_line_start && text[index] == ':';
            if (at_line_start && text[index] == '-' && counts.redis_errors++ == 0)
                fprintf(stderr, "redis: %.*s\n", (int)(got - index > 120 ? 120 : got - index), text + index);
            at_line_start = text[index] == '\n';
        }
    }
}

void publisher_pump(void) {
    read_replies();
    send_pending();
}

static char *room(void) {
    while (pending_end + COMMAND_BYTES_MAX > sizeof pending) {
        publisher_pump();
        if (pending_start == 0) continue;
        memmove(pending, pending + pending_start, pending_end - pending_start);
        pending_end -= pending_start;
        pending_start = 0;
    }
    return pending + pending_end;
}

/* Appends the event to the stream and pushes it, as Lemma's worker does: the same id, name and data in both. */
static void append(const struct stream *stream, const char *event_id, const char *name, const char *data) {
    size_t id = strlen(event_id), text = strlen(data), title = strlen(name), payload = id + title + text + 2;
    int length = snprintf(room(), COMMAND_BYTES_MAX,
                          "*7\r\n$4\r\nXADD\r\n$54\r\nlemma:{p0}:events:%s\r\n$%zu\r\n%s\r\n"
                          "$1\r\ne\r\n$%zu\r\n%s\r\n$1\r\nd\r\n$%zu\r\n%s\r\n"
                          "*3\r\n$8\r\nSPUBLISH\r\n$52\r\nlemma:{p0}:live:%s\r\n$%zu\r\n%s %s %s\r\n",
                          stream->id, id, event_id, title, name, text, data, stream->id, payload, event_id, name, data);
    if (length >= COMMAND_BYTES_MAX) die("event too long");
    pending_end += (size_t)length;
}

void publisher_start_streams(void) {
    char data[256];
    for (int index = 0; index < options.streams; index++) {
        snprintf(data, sizeof data, "{\"correlationId\":\"%s\",\"conversationId\":\"%s\",\"position\":1}",
                 streams[index].id, streams[index].id);
        if (!options.submit) append(&streams[index], "0-1", "queued", data);
        append(&streams[index], "1-0", "started", "{\"attempt\":1,\"provider\":\"mock\",\"model\":\"mock\"}");
        publisher_pump();
    }
}

/* Round robin over the streams, so that each gets its tokens at an even pace. */
void publisher_publish(uint64_t tokens) {
    char event_id[32], data[64];
    for (; tokens > 0; tokens--, counts.published++) {
        struct stream *stream = &streams[next_stream++ % (uint64_t)options.streams];
        snprintf(event_id, sizeof event_id, "1-%llu", (unsigned long long)++stream->published);
        snprintf(data, sizeof data, "{\"text\":\"%llu \"}", (unsigned long long)now());
        append(stream, event_id, "token", data);
    }
    send_pending();
}

void publisher_remove_streams(void) {
    for (int index = 0; index < options.streams; index++) {
        int length = sprintf(room(), "*2\r\n$6\r\nUNLINK\r\n$54\r\nlemma:{p0}:events:%s\r\n", streams[index].id);
        pending_end += (size_t)length;
    }
    while (pending_end > 0) publisher_pump();
    close(redis);
}
