#include "global_hops.h"

#include <pthread.h>
#include <stdatomic.h>

// The Swift runtime calls this hook, where it is set, in place of its own enqueueing
// (stdlib/public/Concurrency/GlobalExecutor.cpp); it has Swift's calling convention, hence the C.
typedef __attribute__((swiftcall)) void (*enqueue_t)(void *job);
typedef __attribute__((swiftcall)) void (*hook_t)(void *job, enqueue_t original);
extern hook_t swift_task_enqueueGlobal_hook;

static _Atomic(unsigned long) watched;
static atomic_long count;

static __attribute__((swiftcall)) void note(void *job, enqueue_t original) {
    if ((unsigned long)pthread_self() == atomic_load(&watched)) atomic_fetch_add(&count, 1);
    original(job);
}

void global_hops_watch_this_thread(void) {
    atomic_store(&count, 0);
    atomic_store(&watched, (unsigned long)pthread_self());
    swift_task_enqueueGlobal_hook = note;
}

long global_hops_end(void) {
    swift_task_enqueueGlobal_hook = 0;
    atomic_store(&watched, 0);
    return atomic_load(&count);
}
