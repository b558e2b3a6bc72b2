// environment.h -- the environment variables, and whether to trust them.
#pragma once

namespace rt {

/// True where this process has rights that the user who started it lacks: set-user-id,
/// set-group-id, file capabilities. The environment must then not choose the files that are read or
/// written, nor the libraries that are loaded.
bool has_raised_rights();

/// The value of a variable; null where it is not set, or empty.
const char* environment(const char* name);
/// As environment(), for a variable that names a file, a folder or a library: null
/// also with raised rights.
const char* environment_path(const char* name);

}  // namespace rt
