/* unchecked.c -- a program that makes mistakes and checks no result. */
#include "rt_torch.h"

int main(void) {
  const int64_t sizes[2] = {2, 3}, picked = 7, one = 1;
  int64_t x, index, product, picks, negated;
  x = rt_torch_tensor_ones(sizes, 2);
  index = rt_torch_tensor_from_i64_data(&picked, 1, &one, 1);
  rt_torch_set_location("unchecked.spl", 3);
  product = rt_torch_torchtensor_matmul(x, x);
  rt_torch_set_location("unchecked.spl", 4);
  rt_torch_torchtensor_free(rt_torch_torchtensor_relu(product));
  rt_torch_set_location("unchecked.spl", 5);
  picks = rt_torch_torchtensor_index_select(x, 0, index);
  rt_torch_set_location("unchecked.spl", 6);
  negated = rt_torch_torchtensor_neg(picks);
  rt_torch_set_location("unchecked.spl", 7);
  rt_torch_flush();
  rt_torch_set_location("unchecked.spl", 8);
  rt_torch_torchtensor_sum(negated);
  rt_torch_torchtensor_free(negated);
  rt_torch_torchtensor_free(picks);
  rt_torch_torchtensor_free(index);
  rt_torch_torchtensor_free(x);
  return 0;
}
