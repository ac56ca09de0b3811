#define _GNU_SOURCE
#include "driver.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RESPONSE_BYTES_MAX = 16384 };

/* Copies the string member `name` of a JSON object, undoing `\/`. */
static void member(const char *body, const char *name, char *into, size_t size) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *at = strstr(body, key);
    at = at ? strchr(at + strlen(key), '"') : NULL;
    if (!at) die(body);
    size_t length = 0;
    for (at++; *at && *at != '"' && length + 1 < size; at++)
        if (*at != '\\') into[length++] = *at;
    into[length] = 0;
}

/* Reads one response with a Content-Length; returns its body, 0-terminated. */
static const char *response(int descriptor) {
    static char text[RESPONSE_BYTES_MAX];
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(descriptor, text + length, sizeof text - 1 - length, 0);
        if (got <= 0) die("submission: no response");
        text[length += (size_t)got] = 0;
        char *body = strstr(text, "\r\n\r\n"), *header = strcasestr(text, "\r\ncontent-length:");
        if (!body) continue;
        if (strncmp(text, "HTTP/1.1 202", 12) != 0 || !header || header > body) die(text);
        if (strlen(body + 4) >= strtoul(header + 17, NULL, 10)) return body + 4;
    }
}

static void submit(int descriptor, struct stream *stream, int index) {
    char request[512], body[64], url[URL_BYTES_MAX];
    int length = snprintf(body, sizeof body, "{\"problem\":\"%d + %d\"}", index, index);
    length = snprintf(request, sizeof request,
                      "POST /api/math/solve HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
                      "Content-Length: %d\r\n\r\n%s",
                      options.http.host, options.http.port, length, body);
    if (send(descriptor, request, (size_t)length, MSG_NOSIGNAL) != length) die("submission");
    const char *answer = response(descriptor);
    member(answer, "correlationId", stream->id, sizeof stream->id);
    member(answer, "streamUrl", url, sizeof url);
    stream->url = strdup(url);
}

static void invent(struct stream *stream) {
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) die("getrandom");
    char *at = stream->id, url[URL_BYTES_MAX];
    for (int index = 0; index < 16; index++) {
        if (index == 4 || index == 6 || index == 8 || index == 10) *at++ = '-';
        at += sprintf(at, "%02x", bytes[index]);
    }
    snprintf(url, sizeof url, "/api/math/stream/%s", stream->id);
    stream->url = strdup(url);
}

void make_requests(void) {
    int descriptor = options.submit ? connect_to(&options.http, 0, true) : -1;
    for (int index = 0; index < options.streams; index++) {
        if (options.submit) submit(descriptor, &streams[index], index);
        else invent(&streams[index]);
    }
    if (descriptor >= 0) close(descriptor);
}
