/* marker.c -- a library that nobody should load: when it is, it leaves a file as a witness. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void leave_mark(void) {
  const char* path = getenv("RT_TEST_MARKER");
  FILE* file = path ? fopen(path, "w") : NULL;
  if (file) fclose(file);
}
