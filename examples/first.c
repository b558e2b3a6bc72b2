/* first.c -- the smallest use of the library: record, look at the graph, read a number. */
#include <stdint.h>
#include <stdio.h>

#include "rt_torch.h"

int main(void) {
  const int64_t sizes[2] = {2, 3};
  int64_t x = rt_torch_tensor_ones(sizes, 2);
  int64_t scaled = rt_torch_torchtensor_mul_scalar(x, 0.5);
  int64_t y = rt_torch_torchtensor_softmax(scaled, 1);
  printf("%s\n", rt_torch_graph_text());            /* recorded, nothing has run */
  printf("sum: %g\n", rt_torch_torchtensor_sum(y)); /* runs all of it, as one batch */
  printf("batches: %d\n", (int)rt_torch_stat("batches"));
  rt_torch_torchtensor_free(y);
  rt_torch_torchtensor_free(scaled);
  rt_torch_torchtensor_free(x);
  if (rt_torch_last_error()[0] == '\0') return 0;
  fprintf(stderr, "%s\n", rt_torch_last_error());
  return 1;
}
