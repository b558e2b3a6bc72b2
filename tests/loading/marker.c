/* marker.c -- a library that must not be loaded: it creates a file when it is. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void leave_mark(void) {
  const char* path = getenv("RT_TEST_MARKER");
  FILE* file = path ? fopen(path, "w") : NULL;
  if (file) fclose(file);
}
