"""The texts around the kernels: header, beginning and end of the C files."""

from __future__ import annotations

from collections.abc import Sequence

from flawspot.export.c.program import number
from flawspot.export.source import Facts

_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _.,-+()")


def literal(text: str) -> str:
    """A string in C: whatever is not plain in octal, so that no text ends it, or means something else."""
    return '"' + "".join(chr(b) if chr(b) in _PLAIN else f"\\{b:03o}" for b in text.encode(errors="replace")) + '"'


def commented(text: str) -> str:
    """A text that may stand in a comment."""
    return "".join(letter if letter in _PLAIN else "_" for letter in text)


def header(facts: Facts, arena: int) -> str:
    """The header."""
    title = commented(facts.title)
    return f"""\
/* {title}: written by flawspot {commented(facts.version)}.

     static uint8_t rgb[FLAWSPOT_SIZE * FLAWSPOT_SIZE * 3];
     flawspot_resize(camera, height, width, rgb);
     if (!(flawspot_run(rgb, NULL) <= flawspot_threshold)) reject();

   Compile {commented(facts.name)}.c and {commented(facts.name)}_resize.c as C99 and link libm.
   GCC wants -std=c99 or -ffp-contract=off, so that every processor gives the same numbers; never give -ffast-math. It
   allocates nothing and works in {arena} bytes of static memory: it is not thread-safe. */
#ifndef FLAWSPOT_DETECTOR_H
#define FLAWSPOT_DETECTOR_H

#include <stdint.h>

/* Side of the photograph and of the map, in pixels. */
#define FLAWSPOT_SIZE {facts.input_size}
#define FLAWSPOT_ARENA_BYTES {arena}
#define FLAWSPOT_MACS {facts.macs}

#ifdef __cplusplus
extern "C" {{
#endif

/* A photograph whose score is above this is anomalous, and so is each place whose value in the map is. */
extern const float flawspot_threshold;
/* What is inspected; flawspot's version; the sha256 of the artifact's graph. */
extern const char flawspot_product[];
extern const char flawspot_version[];
extern const char flawspot_sha256[];

/* The score of a photograph.
   rgb: FLAWSPOT_SIZE x FLAWSPOT_SIZE pixels of red, green and blue, row by row.
   map: FLAWSPOT_SIZE x FLAWSPOT_SIZE numbers, the anomaly of each place, or NULL. */
float flawspot_run(const uint8_t *rgb, float *map);

/* Any photograph of height x width pixels, brought to the size that flawspot_run takes. In a file of its own. */
void flawspot_resize(const uint8_t *rgb, int height, int width, uint8_t *resized);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _belongs(facts: Facts, other: str) -> str:
    """Files of two detectors, as a second export leaves them that could not be finished, do not compile together."""
    return f'#if {other}\n#error "{facts.name}.h belongs to another detector: export it again"\n#endif\n'


def source(
    facts: Facts, common: str, kernels: Sequence[str], tables: Sequence[str], calls: Sequence[str], arena: int
) -> str:
    """The detector's file."""
    return "\n".join(
        [
            f"/* {commented(facts.title)}: written by flawspot {commented(facts.version)}. See {facts.name}.h. */",
            f'#include "{facts.name}.h"\n',
            _belongs(facts, f"FLAWSPOT_SIZE != {facts.input_size} || FLAWSPOT_ARENA_BYTES != {arena}"),
            common,
            f"const float flawspot_threshold = {number(facts.threshold)};",
            f"const char flawspot_product[] = {literal(facts.product)};",
            f"const char flawspot_version[] = {literal(facts.version)};",
            f"const char flawspot_sha256[] = {literal(facts.sha256)};\n",
            "static union {\n  uint8_t bytes[FLAWSPOT_ARENA_BYTES];\n  double aligned;\n} arena;\n",
            *kernels,
            "".join(tables),
            "float flawspot_run(const uint8_t *rgb, float *map) {",
            *(f"  {call}" for call in calls),
            "}\n",
        ]
    )


def resizing(facts: Facts, kernel: str) -> str:
    """The file that resizes."""
    belongs = _belongs(facts, f"FLAWSPOT_SIZE != {facts.input_size}")
    return f'#include "{facts.name}.h"\n\n{belongs}\n#include <math.h>\n#include <stddef.h>\n\n{kernel}'
