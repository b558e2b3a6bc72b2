// simd_rig.h -- what the tests of vector code share.
#pragma once
#include <gtest/gtest.h>

#include "fallback_cpu/simd.h"

namespace rt::cpu {

/// Calls body() with each instruction set in use.
template <class Body>
void for_targets(const Body& body) {
  for (const SimdTarget& target : simd_targets()) {
    use_simd_target_for_test(target);
    SCOPED_TRACE(target.name);
    body();
  }
  use_simd_target_for_test(simd_targets().front());
}

}  // namespace rt::cpu
