// environment.h -- the one place where the environment is read.
#pragma once

namespace rt {

/// Whether this process has rights that who started it lacks: set-user-id, set-group-id, file
/// capabilities. Who started it says then neither which files it reads or writes nor which
/// libraries it loads.
bool has_raised_rights();

/// A variable's value; null where it is not set, or empty.
const char* environment(const char* name);
/// The same of a variable that names a file, a folder or a library: null also with raised rights.
const char* environment_path(const char* name);

}  // namespace rt
