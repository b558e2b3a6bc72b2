// spare_threads.h -- the number of threads that the system still gives to a loop.
#pragma once

namespace rt {

/// The number of threads that a loop of the calling thread may have: `wanted`, or 1 where the
/// system does not start so many. OpenMP ends the process when it gets no thread, so threads are
/// started here first when a thread asks for more than it has had. `start` must then make OpenMP
/// start its own, which stay with the thread as long as no loop has fewer.
int threads_for_loop(int wanted, void (*start)(int threads));

}  // namespace rt
