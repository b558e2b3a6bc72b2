/* first.c -- the smallest use of the library: record, look at the graph, read a number. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "rt_torch.h"

/* A handle is positive; 0 says that the call failed and rt_torch_last_error why. */
static int64_t checked(int64_t handle) {
  if (handle > 0) return handle;
  fprintf(stderr, "%s\n", rt_torch_last_error());
  exit(1);
}

int main(void) {
  const int64_t sizes[2] = {2, 3};
  int64_t x = checked(rt_torch_tensor_ones(sizes, 2));
  int64_t scaled = checked(rt_torch_torchtensor_mul_scalar(x, 0.5));
  int64_t y = checked(rt_torch_torchtensor_softmax(scaled, 1));
  double sum = 0;
  printf("%s\n", rt_torch_graph_text());                          /* nothing has run so far */
  if (rt_torch_torchtensor_sum_checked(y, &sum) != 0) checked(0); /* runs it, as one batch */
  printf("sum: %g\n", sum);
  printf("batches: %d\n", (int)rt_torch_stat("batches"));
  rt_torch_torchtensor_free(y);
  rt_torch_torchtensor_free(scaled);
  rt_torch_torchtensor_free(x);
  return 0;
}
