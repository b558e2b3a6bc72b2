/* fake_libtorch.c -- a libtorch of another version as far as loading looks at it; without
   FAKE_VERSION one that does not tell its version. */
#include <stdint.h>

#ifdef FAKE_VERSION
__attribute__((visibility("default"))) uint64_t aoti_torch_abi_version(void);

/* A byte each for major, minor and patch, from the top: 1.2.3 */
uint64_t aoti_torch_abi_version(void) { return UINT64_C(0x0102030000000000); }
#endif
