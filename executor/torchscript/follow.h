// follow.h -- which operators libtorch calls while a program runs, and how long each takes.
#pragma once
#include <functional>

#include "executor/plugin/plugin.h"

namespace rt::torchscript {

/// Runs `body` as it is, and then tells the observer of every operator that it called on this
/// thread, less those that operators called in their turn.
void follow(const plugin::Observer& observer, const std::function<void()>& body);

}  // namespace rt::torchscript
