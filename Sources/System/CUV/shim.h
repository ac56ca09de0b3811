#include <sys/socket.h>
#include <uv.h>

/* accept4(2) stands behind _GNU_SOURCE, which a module map cannot define for the system headers. */
extern int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
