/* linked.c -- a compiled Simple program as the library sees it: C99, linked with libspl_torch.so,
   without a runtime. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "spl_torch.h"

int main(void) {
  SplValue sizes[2];
  SplArray dims = {NULL, 2, 2};
  SplArray* shape;
  char* error;
  int64_t x;
  double sum;
  sizes[0].tag = SPL_INT;
  sizes[0].as_int = 2;
  sizes[1].tag = SPL_INT;
  sizes[1].as_int = 3;
  dims.items = sizes;
  x = rt_torch_tensor_ones(&dims);
  shape = rt_torch_torchtensor_shape(x);
  sum = rt_torch_torchtensor_sum(x);
  error = rt_torch_last_error();
  printf("%dx%d ones, sum %g, error \"%s\"\n", (int)shape->items[0].as_int,
         (int)shape->items[1].as_int, sum, error);
  free(error);
  free(shape->items);
  free(shape);
  rt_torch_torchtensor_free(x);
  return sum == 6 ? 0 : 1;
}
