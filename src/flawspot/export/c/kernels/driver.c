/* Runs the detector on the photographs in a file, and writes score and map of each. flawspot compares it with this. */
#include <stdio.h>
#include <stdlib.h>

#include "DETECTOR.h"

static uint8_t rgb[FLAWSPOT_SIZE * FLAWSPOT_SIZE * 3];
static float map[FLAWSPOT_SIZE * FLAWSPOT_SIZE];
static FILE *results;

static void put(const void *numbers, size_t bytes) {
  if (fwrite(numbers, 1, bytes, results) != bytes) exit(3);
}

#ifdef FLAWSPOT_TRACE
void flawspot_trace(int operation, void *numbers, size_t bytes);

static FILE *expected;

/* Writes the result of an operation, and replaces it by the artifact's result, if that is given. So each operation is
   compared separately. */
void flawspot_trace(int operation, void *numbers, size_t bytes) {
  int32_t head[2], given;
  head[0] = operation;
  head[1] = (int32_t)bytes;
  put(head, sizeof head);
  put(numbers, bytes);
  if (fread(&given, sizeof given, 1, expected) != 1) exit(4);
  if (given && ((size_t)given != bytes || fread(numbers, bytes, 1, expected) != 1)) exit(4);
}
#endif

int main(int count, char **names) {
  FILE *photographs = count > 2 ? fopen(names[1], "rb") : NULL;
  results = count > 2 ? fopen(names[2], "wb") : NULL;
#ifdef FLAWSPOT_TRACE
  expected = count > 3 ? fopen(names[3], "rb") : NULL;
  if (!expected) return 2;
#endif
  if (!photographs || !results) return 2;
  while (fread(rgb, sizeof rgb, 1, photographs) == 1) {
    float score = flawspot_run(rgb, map);
    put(&score, sizeof score);
    put(map, sizeof map);
  }
  return fclose(results) ? 3 : 0;
}
