#ifndef GLOBAL_HOPS_H
#define GLOBAL_HOPS_H

/// Begins to count the jobs that the calling thread hands to Swift's global executor, from 0.
void global_hops_watch_this_thread(void);

/// Ends the count, and gives it.
long global_hops_end(void);

#endif
