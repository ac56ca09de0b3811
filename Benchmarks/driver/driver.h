/* The load driver of `make bench`: plays the worker towards Redis and the students towards a server, so that Lemma's
 * API and the base line serve the same bytes in the same rhythm and are measured by the same code.
 *
 *   driver.c     options, the order of a run, the report
 *   submit.c     makes the requests: POSTed to a real API, or invented for the base line
 *   publisher.c  writes token events to Redis: XADD to the stream and SPUBLISH to the live channel, pipelined
 *   viewers.c    the SSE connections: reads frames, checks their order, takes the latency of each token
 *   process.c    CPU time and resident memory of the processes under test, from /proc
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_LENGTH = 36, URL_BYTES_MAX = 512, STREAMS_MAX = 19000 };

struct endpoint {
    char host[48];
    int port;
};

struct options {
    struct endpoint http, redis;
    int process, redis_process; /* 0: not measured */
    int streams;
    int rate;              /* tokens a second over all streams; 0: the connections stay idle */
    int seconds, warm_up;  /* measured, and before that */
    int tick;              /* µs between two bursts of tokens */
    bool submit;           /* POST each request to the API first */
};

/* One request with its one viewer. */
struct stream {
    char id[ID_LENGTH + 1];
    char *url;          /* path and query, owned */
    uint64_t published; /* sequence of the last token written to Redis */
    uint64_t delivered; /* sequence of the last token seen by the viewer */
    int descriptor;
    enum { AWAITING_HEAD, IN_BODY } phase;
    bool chunked;
    enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_END } chunk;
    size_t chunk_left;
    char *carry; /* bytes of an unfinished frame, owned */
    size_t carry_length;
};

struct counts {
    uint64_t published, delivered; /* tokens */
    uint64_t misordered;           /* events whose id was not the one after the last */
    uint64_t unheard;              /* pushes nobody was subscribed to */
    uint64_t redis_errors, closed; /* error replies; connections the server ended */
};

extern struct options options;
extern struct stream *streams;
extern struct counts counts;

/* Monotonic clock in ns, the clock of the mock provider's timestamps. */
uint64_t now(void);
_Noreturn void die(const char *what);
int connect_to(const struct endpoint *to, int source, bool blocking);

void make_requests(void);

void publisher_open(void);
void publisher_start_streams(void); /* writes `0-1 queued` where no API did, then `1-0 started` */
void publisher_publish(uint64_t tokens);
void publisher_pump(void); /* writes what is pending, reads replies */
bool publisher_is_behind(void);
int publisher_descriptor(void);
void publisher_remove_streams(void);

void viewers_open(void); /* returns when every stream has answered 200 */
void viewers_pump(int timeout_milliseconds);
void viewers_watch(int descriptor); /* something else to wake up for */
void viewers_reset_latencies(void);
/* The quantile 0…1 of the latencies in µs. */
double viewers_latency(double quantile);

uint64_t process_cpu_microseconds(int process);
uint64_t process_resident_bytes(int process);
