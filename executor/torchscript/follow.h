// follow.h -- reports the operators that libtorch calls while a program runs, and their times.
#pragma once
#include <functional>

#include "executor/plugin/plugin.h"

namespace rt::torchscript {

/// Runs `body`, then reports to the observer every operator that it called on this thread, except
/// those that other operators called. Exceptions of `body` pass through, without a report.
void follow(const plugin::Observer& observer, const std::function<void()>& body);

}  // namespace rt::torchscript
