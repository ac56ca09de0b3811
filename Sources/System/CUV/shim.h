#include <sys/resource.h>
#include <sys/socket.h>
#include <uv.h>

/* Swift cannot call variadic functions. */
static inline int lemma_uv_measure_idle_time(uv_loop_t *loop) { return uv_loop_configure(loop, UV_METRICS_IDLE_TIME); }

/* accept4(2) requires _GNU_SOURCE, which a module map cannot define for the system headers. */
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);

/* Linux: the calling thread alone, which POSIX's "calling process" does not say. The type of PRIO_PROCESS differs by _GNU_SOURCE. */
static inline int lemma_set_thread_niceness(int niceness) { return setpriority(PRIO_PROCESS, 0, niceness); }
