/* misses.c -- records two batches that differ in one attribute, so that each is compiled. */
#include <stdio.h>

#include "rt_torch.h"

static void once(int64_t dim, int64_t line) {
  const int64_t sizes[2] = {2, 3};
  int64_t ones = rt_torch_tensor_ones(sizes, 2);
  rt_torch_set_location("misses.spl", line);
  int64_t probs = rt_torch_torchtensor_softmax(ones, dim);
  rt_torch_set_label(probs, "probs");
  rt_torch_flush();
  rt_torch_torchtensor_free(probs);
  rt_torch_torchtensor_free(ones);
}

int main(void) {
  once(1, 3);
  once(0, 4);
  if (rt_torch_last_error()[0] == '\0') return 0;
  fprintf(stderr, "%s\n", rt_torch_last_error());
  return 1;
}
