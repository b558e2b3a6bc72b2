/* example.h -- shared by the examples: failures, scopes of handles, parameters, random numbers, and
   the check that a training step is one batch. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt_torch.h"

#ifndef EXAMPLES_DATA
#define EXAMPLES_DATA "examples/data"
#endif

enum { kFloat32 = 0, kInt64 = 3 }; /* codes of rt_torch_copy_data */

/* ---- failure: ends the program with the failed call and the library's message */

static inline void fail(const char* call) {
  fprintf(stderr, "%s failed: %s\n", call, rt_torch_last_error());
  exit(1);
}

/* Reports failures of calls that return no handle. */
static inline void check_errors(const char* where) {
  if (rt_torch_last_error()[0] != '\0') fail(where);
}

static inline int64_t checked(int64_t handle, const char* call) {
  if (handle <= 0) fail(call);
  return handle;
}
#define CHECKED(call) checked((call), #call)

/* ---- a scope: frees its handles at its end, as compiled programs free their locals. Values that
   pending work uses live on without their handles. */

typedef struct {
  int count;
  int64_t handles[64];
} Scope;

static inline int64_t local(Scope* scope, int64_t handle, const char* call) {
  checked(handle, call);
  if (scope->count == (int)(sizeof scope->handles / sizeof scope->handles[0])) {
    fprintf(stderr, "%s: a scope has too many locals\n", call);
    exit(1);
  }
  scope->handles[scope->count++] = handle;
  return handle;
}
#define LOCAL(scope, call) local((scope), (call), #call)

static inline void leave(Scope* scope, const char* where) {
  while (scope->count > 0) rt_torch_torchtensor_free(scope->handles[--scope->count]);
  check_errors(where);
}

/* ---- parameters */

/* A leaf of normally distributed values; a spread of 0 makes a constant. */
static inline int64_t parameter(Scope* scope, const int64_t* sizes, int rank, double mean,
                                double spread) {
  Scope inner = {0};
  int64_t normal = LOCAL(&inner, rt_torch_tensor_randn(sizes, rank));
  int64_t scaled = LOCAL(&inner, rt_torch_torchtensor_mul_scalar(normal, spread));
  int64_t value = LOCAL(scope, rt_torch_torchtensor_add_scalar(scaled, mean));
  rt_torch_autograd_set_requires_grad(value, 1);
  leave(&inner, "parameter");
  return value;
}

/* Reads a one-element tensor, which runs all pending work. */
static inline double number(int64_t handle) {
  double value = rt_torch_torchtensor_item(handle);
  check_errors("rt_torch_torchtensor_item");
  return value;
}

/* ---- the program's own random numbers, so that the library's seed determines the model alone */

static uint64_t random_state = 1;

static inline double random_unit(void) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (double)(random_state >> 11) / 9007199254740992.0;
}

static inline int64_t random_below(int64_t bound) {
  return (int64_t)(random_unit() * (double)bound);
}

/* ---- the run */

static inline int64_t counter(const char* name) {
  int64_t value = rt_torch_stat(name);
  if (value < 0) fail("rt_torch_stat");
  return value;
}

/* Runs pending work and resets the counters, so that the next batch is the first training step. */
static inline void begin_training(void) {
  if (rt_torch_flush() < 0) fail("rt_torch_flush");
  rt_torch_stats_reset();
  check_errors("rt_torch_stats_reset");
}

/* Each step reads its loss, so that it takes at least one batch: equal counts mean one per step. */
static inline void end_training(int64_t steps) {
  int64_t batches = counter("batches"), hits = counter("cache_hits");
  printf("%lld training steps: %lld calls, %lld nodes, %lld batches, %lld of them from the cache\n",
         (long long)steps, (long long)counter("calls"), (long long)counter("nodes"),
         (long long)batches, (long long)hits);
  if (strcmp(rt_torch_policy(), "eager") == 0) return; /* it runs every call at once */
  if (batches != steps || hits < steps - 3) {
    fprintf(stderr, "a step was not one batch, or from the fourth on not from the cache\n");
    exit(1);
  }
}

static inline void check_all_freed(void) {
  if (rt_torch_live_handles() == 0) return;
  fprintf(stderr, "%lld handles were not freed\n", (long long)rt_torch_live_handles());
  exit(1);
}

#endif
