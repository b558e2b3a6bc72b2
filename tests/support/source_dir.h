// source_dir.h -- where tests find their data.
#pragma once
#include <string>

/// The root of the sources. One file knows it, so that checkouts share what a compiler cache holds.
std::string source_dir();
