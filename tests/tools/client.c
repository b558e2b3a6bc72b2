/* client.c -- a program that makes batches for the dump tool: `client work|nan|fail|shapes`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rt_torch.h"

static int64_t matrix(const double* data, int64_t rows, int64_t columns) {
  const int64_t sizes[2] = {rows, columns};
  return rt_torch_tensor_from_data(data, rows * columns, sizes, 2);
}

static int64_t indices(int64_t a, int64_t b) {
  const int64_t data[2] = {a, b}, size = 2;
  return rt_torch_tensor_from_i64_data(data, 2, &size, 1);
}

static int report(void) {
  if (rt_torch_last_error()[0] == '\0') return 0;
  fprintf(stderr, "%s\n", rt_torch_last_error());
  return 1;
}

static void print_and_free(int64_t tensor) {
  double data[64];
  const int64_t count = rt_torch_torchtensor_numel(tensor);
  int64_t i;
  if (rt_torch_copy_data(tensor, data, 64, 1) == count)
    for (i = 0; i < count; ++i) printf("%a\n", data[i]);
  rt_torch_torchtensor_free(tensor);
}

/* One batch with one root; its inputs are a strided view, a matrix and indices; it has a scalar. */
static int work(void) {
  const double a[6] = {0.1, -2.5, 3.25, 0.7, 1.1, -0.3}, b[4] = {0.3, 1.7, -0.9, 2.2};
  int64_t kept = matrix(a, 2, 3), other = matrix(b, 2, 2), rows = indices(2, 0);
  int64_t turned, product, scaled, soft, picked;
  rt_torch_set_policy("data");
  turned = rt_torch_torchtensor_t(kept);
  rt_torch_set_location("work.spl", 3);
  product = rt_torch_torchtensor_matmul(turned, other);
  rt_torch_set_label(product, "the product");
  scaled = rt_torch_torchtensor_mul_scalar(product, 0.75);
  rt_torch_set_location("work.spl", 4);
  soft = rt_torch_torchtensor_softmax(scaled, 1);
  picked = rt_torch_torchtensor_index_select(soft, 0, rows);
  rt_torch_torchtensor_free(product);
  rt_torch_torchtensor_free(scaled);
  rt_torch_torchtensor_free(soft);
  print_and_free(picked);
  rt_torch_torchtensor_free(kept);
  rt_torch_torchtensor_free(turned);
  rt_torch_torchtensor_free(other);
  rt_torch_torchtensor_free(rows);
  return report();
}

/* The third node computes the logarithm of a negative number. */
static int make_nan(void) {
  const double a[4] = {0.5, 2, -1, 4};
  int64_t data = matrix(a, 2, 2), shifted, doubled, logarithm, sum;
  rt_torch_set_policy("data");
  shifted = rt_torch_torchtensor_add_scalar(data, 0.25);
  doubled = rt_torch_torchtensor_mul_scalar(shifted, 2);
  rt_torch_set_location("nan.spl", 7);
  logarithm = rt_torch_torchtensor_log(doubled);
  rt_torch_set_label(logarithm, "entropy");
  sum = rt_torch_torchtensor_add(logarithm, data);
  rt_torch_torchtensor_free(shifted);
  rt_torch_torchtensor_free(doubled);
  rt_torch_torchtensor_free(logarithm);
  print_and_free(sum);
  rt_torch_torchtensor_free(data);
  return report();
}

/* Ten batches of different shapes, then one with an index out of range. */
static int fail(void) {
  const double a[24] = {0};
  int64_t rows = indices(1, 9), size;
  for (size = 2; size <= 12; ++size) {
    int64_t data = matrix(a, 2, size), negated;
    rt_torch_set_location("fail.spl", size);
    negated = rt_torch_torchtensor_neg(data);
    if (size == 12) {
      const int64_t picked = rt_torch_torchtensor_index_select(negated, 0, rows);
      rt_torch_torchtensor_free(negated);
      negated = picked;
    }
    print_and_free(negated);
    rt_torch_torchtensor_free(data);
  }
  rt_torch_torchtensor_free(rows);
  return report();
}

/* The work twice, with different shapes. */
static int shapes(void) {
  const double a[6] = {1, 2, 3, 4, 5, 6};
  int64_t columns;
  for (columns = 2; columns <= 3; ++columns) {
    int64_t data = matrix(a, 2, columns), up, down;
    rt_torch_set_policy("data");
    rt_torch_set_location("shapes.spl", 5);
    up = rt_torch_torchtensor_exp(data);
    down = rt_torch_torchtensor_softmax(up, 1);
    rt_torch_torchtensor_free(up);
    print_and_free(down);
    rt_torch_torchtensor_free(data);
  }
  return report();
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "work") == 0) return work();
  if (strcmp(what, "nan") == 0) return make_nan();
  if (strcmp(what, "fail") == 0) return fail();
  if (strcmp(what, "shapes") == 0) return shapes();
  fprintf(stderr, "client: work, nan, fail or shapes?\n");
  return 2;
}
