/* client.c -- a user's program for either library: computes, and prints the backend. With an
   argument, it fails unless that is the backend's name. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include CLIENT_HEADER

#if RT_TORCH_VERSION_MAJOR > 1000 || RT_TORCH_VERSION_MINOR > 1000 || RT_TORCH_VERSION_PATCH > 1000
#error "no versions, but the preprocessor can compare them"
#endif

static int complain(const char* what, const char* found) {
  fprintf(stderr, "client: %s: %s\n", what, found);
  return 1;
}

/* In the Simple flavor the caller owns texts; a program that ends need not free them. */
int main(int argc, char** argv) {
  char backend[32], version[32];
  double sum;
  int64_t one = rt_torch_tensor_ones_2d(3, 3);
  int64_t three = rt_torch_torchtensor_matmul(one, one);
  int64_t shifted = rt_torch_torchtensor_add_scalar(three, 0.5);
  sum = rt_torch_torchtensor_sum(shifted);
  rt_torch_torchtensor_free(shifted);
  rt_torch_torchtensor_free(three);
  rt_torch_torchtensor_free(one);
  if (rt_torch_last_error()[0] != '\0') return complain("an error", rt_torch_last_error());
  if (!(fabs(sum - 31.5) < 1e-6)) return complain("wrong", "the sum is not 31.5");

  sprintf(version, "%d.%d.%d", RT_TORCH_VERSION_MAJOR, RT_TORCH_VERSION_MINOR,
          RT_TORCH_VERSION_PATCH);
  if (strcmp(version, RT_TORCH_VERSION) != 0) return complain(RT_TORCH_VERSION, version);
  strcpy(backend, rt_torch_backend());
  /* This backend's version is that of the library. */
  if (strcmp(backend, "reference") == 0 &&
      strcmp(rt_torch_version(), "reference " RT_TORCH_VERSION) != 0)
    return complain("the header is of " RT_TORCH_VERSION, rt_torch_version());
  if (argc > 1 && strcmp(argv[1], backend) != 0) return complain("another backend", backend);
  printf("%s\n", backend);
  return 0;
}
