// source_dir.cpp -- the root of the sources, a definition of the build.
#include "tests/support/source_dir.h"

std::string source_dir() { return RT_SOURCE_DIR; }
