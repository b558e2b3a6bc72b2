/* fake_libtorch.c -- imitates a libtorch of another version as far as loading checks it; without
   FAKE_VERSION it has no version. */
#include <stdint.h>

#ifdef FAKE_VERSION
__attribute__((visibility("default"))) uint64_t aoti_torch_abi_version(void);

/* Major, minor and patch are the highest bytes: 1.2.3. */
uint64_t aoti_torch_abi_version(void) { return UINT64_C(0x0102030000000000); }
#endif
