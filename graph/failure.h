// failure.h -- errors whose cause is not the call that reports them.
#pragma once
#include <cstdint>

#include "graph/error.h"

namespace rt {

/// The failure that an Error reports.
enum class Failure : uint8_t {
  Call,         ///< this call's own
  Batch,        ///< that of a batch which this call ran or waited for
  ZeroHandle,   ///< that of an earlier call, which should have made the handle
  FailedValue,  ///< that of an earlier batch, in which the handle's value failed
};

/// An Error that reports another failure than the call's own.
class LaterError : public Error {
 public:
  LaterError(std::string text, bool complete, Failure failure)
      : Error(std::move(text), complete), failure_(failure) {}
  Failure failure() const { return failure_; }

 private:
  Failure failure_;
};

inline Failure failure_of(const Error& error) {
  const auto* const later = dynamic_cast<const LaterError*>(&error);
  return later ? later->failure() : Failure::Call;
}

}  // namespace rt
