// source_dir.h -- the root of the sources, where tests find their data.
#pragma once
#include <string>

/// Defined in one file, so that other objects of several checkouts can share a compiler cache.
std::string source_dir();
