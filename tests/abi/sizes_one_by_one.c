/* sizes_one_by_one.c -- a client that declares five sizes where the header declares a list. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

extern int64_t rt_torch_tensor_zeros(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);
extern int64_t rt_torch_tensor_ones(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);
extern int64_t rt_torch_tensor_rand(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);
extern int64_t rt_torch_tensor_randn(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);
extern int64_t rt_torch_tensor_empty(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);
extern int64_t rt_torch_tensor_full(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim,
                                    double fill);
extern int64_t rt_torch_torchtensor_shape(int64_t handle, int64_t* out, int64_t capacity);
extern double rt_torch_torchtensor_sum(int64_t handle);
extern void rt_torch_torchtensor_free(int64_t handle);
extern const char* rt_torch_last_error(void);
extern void rt_torch_clear_error(void);
extern int64_t rt_torch_torchtensor_reshape(int64_t handle, int64_t d0, int64_t d1);

typedef int64_t (*Call)(int64_t d0, int64_t d1, int64_t d2, int64_t d3, int64_t ndim);

static int failures = 0;

static void check(int good, const char* what, int line) {
  if (good) return;
  fprintf(stderr, "line %d: %s; the last error is \"%s\"\n", line, what, rt_torch_last_error());
  ++failures;
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static void free_after_checking(int64_t x, const int64_t* sizes, int64_t ndim) {
  int64_t found[8] = {0};
  CHECK(x > 0);
  CHECK(rt_torch_torchtensor_shape(x, found, 8) == ndim);
  CHECK(memcmp(found, sizes, (size_t)ndim * sizeof *sizes) == 0);
  rt_torch_torchtensor_free(x);
}

/* Expects that the call fails with a message that shows its arguments and names both forms. */
static void refused(int64_t result, const char* given) {
  CHECK(result == 0);
  CHECK(strstr(rt_torch_last_error(), given) != NULL);
  CHECK(strstr(rt_torch_last_error(), "a list of sizes, or d0, d1, d2, d3 and ndim") != NULL);
  rt_torch_clear_error();
}

int main(void) {
  static const Call calls[] = {rt_torch_tensor_zeros, rt_torch_tensor_ones, rt_torch_tensor_rand,
                               rt_torch_tensor_randn, rt_torch_tensor_empty};
  const int64_t sizes[4] = {2, 3, 4, 5};
  const int64_t long_ones[] = {65535, 65536, 100000, (2 << 20) - 1};
  int64_t x, ndim;
  size_t i;
  for (i = 0; i < sizeof calls / sizeof *calls; ++i) {
    for (ndim = 1; ndim <= 4; ++ndim) free_after_checking(calls[i](2, 3, 4, 5, ndim), sizes, ndim);
    refused(calls[i](2, 3, 4, 5, 0), "d0=2, d1=3, d2=4, d3=5, ndim=0");
    refused(calls[i](2, 3, 4, 5, 5), "ndim=5");
    refused(calls[i](2, 3, 4, 5, -1), "ndim=-1");
    refused(calls[i](2, -3, 4, 5, 2), "d1=-3");
    refused(calls[i](-2, 3, 4, 5, 2), "d0=-2");
    refused(calls[i](INT32_MIN, 3, 4, 5, 2), "d0=-2147483648");
  }
  for (i = 0; i < sizeof long_ones / sizeof *long_ones; ++i)
    free_after_checking(rt_torch_tensor_zeros(long_ones[i], 0, 0, 0, 1), &long_ones[i], 1);
  x = rt_torch_tensor_full(2, 3, -1, -1, 2, 0.5); /* sizes beyond ndim are ignored */
  CHECK(rt_torch_torchtensor_sum(x) == 3);
  free_after_checking(x, sizes, 2);
  refused(rt_torch_tensor_full(2, 3, 0, 0, 9, 0.5), "ndim=9, value=0.5");

  /* Sizes that no tensor can have give the error that they give in a list. */
  CHECK(rt_torch_tensor_zeros(65535, INT64_MAX, INT64_MAX, 2, 4) == 0);
  CHECK(strstr(rt_torch_last_error(), "rt_torch_tensor_zeros(size=[65535,") != NULL);
  rt_torch_clear_error();

  /* A number where a list is needed is an error. */
  x = rt_torch_tensor_ones(6, 0, 0, 0, 1);
  CHECK(rt_torch_torchtensor_reshape(x, 2, 3) == 0);
  CHECK(strstr(rt_torch_last_error(), "shape is the number 2; pass the address of a list") != NULL);
  rt_torch_torchtensor_free(x);
  return failures == 0 ? 0 : 1;
}
