// environment.cpp -- reads environment variables.
#include "graph/environment.h"

#include <sys/auxv.h>

#include <cstdlib>

namespace rt {

bool has_raised_rights() { return getauxval(AT_SECURE) != 0; }

const char* environment(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

const char* environment_path(const char* name) {
  return has_raised_rights() ? nullptr : environment(name);
}

}  // namespace rt
