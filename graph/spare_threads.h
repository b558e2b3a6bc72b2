// spare_threads.h -- whether the system still gives threads to this process.
#pragma once

namespace rt {

/// How many threads a loop of the calling thread may have, of `wanted`: all, or 1 where the system
/// does not start so many. OpenMP ends the process when it gets no thread, so they are started here
/// first, when a thread asks for more than it has had; `start` then has to make OpenMP start its
/// own, which stay with the thread as long as no loop has fewer.
int threads_for_loop(int wanted, void (*start)(int threads));

}  // namespace rt
