/* What a Cortex-M7 does before main: stack, floating point, memory; and one interrupt, which counts time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern uint8_t data_begin[], data_end[], data_stored[], zero_begin[], zero_end[], stack_top[];
int main(void);
void initialise_monitor_handles(void);

volatile uint32_t overflows;

static void reset(void) {
  *(volatile uint32_t *)0xE000ED88 |= 0xF00000; /* let the floating-point unit be used */
  __asm__ volatile("dsb\n isb");
  memcpy(data_begin, data_stored, (size_t)(data_end - data_begin));
  memset(zero_begin, 0, (size_t)(zero_end - zero_begin));
  initialise_monitor_handles();
  exit(main());
}

static void stop(void) { exit(9); }

static void tick(void) { overflows++; }

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))stack_top, reset, stop, stop, stop, stop, stop, 0, 0, 0, 0, stop, stop, 0, stop, tick};
