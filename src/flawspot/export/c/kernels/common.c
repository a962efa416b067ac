#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error "float is computed wider than it is stored: compile with -msse2 -mfpmath=sse, or for another processor"
#endif
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#ifdef FLAWSPOT_TRACE
void flawspot_trace(int operation, void *numbers, size_t bytes);
#define TRACE(operation, numbers, bytes) flawspot_trace(operation, numbers, bytes)
#else
#define TRACE(operation, numbers, bytes) ((void)0)
#endif

#define U8(place) (arena.bytes + (place))
#define U16(place) ((uint16_t *)(void *)(arena.bytes + (place)))
#define F32(place) ((float *)(void *)(arena.bytes + (place)))

/* A convolution's shape. Its pads are those before the first row and column. */
typedef struct {
  int height, width, channels;
  int rows, columns, outputs;
  int tall, wide, down, across, top, left, groups;
} shape;
