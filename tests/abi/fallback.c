/* fallback.c -- makes every call that names a CUDA device, as a program for a GPU, with
   RT_TORCH_CUDA_FALLBACK=cpu. */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>

#include "rt_torch.h"

static int failures = 0;

static void check(int good, const char* what, int line) {
  if (good) return;
  fprintf(stderr, "line %d: %s; the last error is \"%s\"\n", line, what, rt_torch_last_error());
  ++failures;
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static void on_device(int64_t x, double sum) {
  CHECK(x > 0);
  CHECK(rt_torch_torchtensor_sum(x) == sum);
  if (!rt_torch_cuda_available()) {
    CHECK(rt_torch_torchtensor_device(x) == -1);
    CHECK(!rt_torch_torchtensor_is_cuda(x));
  }
  rt_torch_torchtensor_free(x);
}

int main(void) {
  const int64_t two = 2;
  const double data[2] = {1, 2};
  int64_t x, stream;
  setenv("RT_TORCH_CUDA_FALLBACK", "cpu", 1);
  x = rt_torch_tensor_ones(&two, 1);
  on_device(rt_torch_torchtensor_cuda(x, 0), 2);
  on_device(rt_torch_tensor_cuda(x, 0), 2);
  on_device(rt_torch_tensor_to_device(x, 0), 2);
  on_device(rt_torch_to_cuda(x, 0), 2);
  on_device(rt_torch_zeros(&two, 1, 0, 1), 0);
  on_device(rt_torch_ones(&two, 1, 0, 1), 2);
  on_device(rt_torch_arange(0, 3, 1, 3, 1), 3);
  on_device(rt_torch_tensor(data, 2, &two, 1, 1, 1), 3);
  stream = rt_torch_stream_create(0);
  CHECK(stream > 0);
  on_device(rt_torch_torchtensor_to_stream(x, 0, stream), 2);
  on_device(rt_torch_torchtensor_to_stream(x, 0, 0), 2);
  rt_torch_torchstream_sync(stream);
  CHECK(rt_torch_torchstream_query(stream) == 1);
  rt_torch_torchstream_free(stream);
  if (!rt_torch_cuda_available()) {
    on_device(rt_torch_torchtensor_cuda(x, 7), 2);
    CHECK(rt_torch_cuda_device_count() == 0);
    CHECK(rt_torch_cuda_memory_allocated(0) == 0);
  }
  rt_torch_cuda_empty_cache();
  rt_torch_torchtensor_free(x);
  CHECK(rt_torch_last_error()[0] == '\0');
  CHECK(rt_torch_torchtensor_cuda(1, -1) == 0); /* no device has the index -1 */
  return failures == 0 ? 0 : 1;
}
