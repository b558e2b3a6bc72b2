/* leak.c -- leaves a handle unfreed: with RT_TORCH_DEBUG=1 the library reports it at exit. Prints
   the first call's error about the environment. */
#include <stdint.h>
#include <stdio.h>

#include "rt_torch.h"

int main(void) {
  const int64_t sizes[2] = {2, 3};
  int64_t kept;
  rt_torch_set_location("leak.spl", 9);
  if (rt_torch_last_error()[0] != '\0') {
    fprintf(stderr, "%s\n", rt_torch_last_error());
    return 1;
  }
  kept = rt_torch_tensor_ones(sizes, 2);
  if (kept <= 0 || !rt_torch_set_label(kept, "kept")) {
    fprintf(stderr, "%s\n", rt_torch_last_error());
    return 1;
  }
  rt_torch_flush();
  return rt_torch_live_handles() == 1 ? 0 : 1;
}
