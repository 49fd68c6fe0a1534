/* Lowering: the combs of a layout head become a tile program. */
#ifndef KERNELS_LOWER_H
#define KERNELS_LOWER_H

#include "attn/layout.h"
#include "kernels/choice.h"
#include "kernels/program.h"

/* Lowers head `head` of the layout for a geometry. Keys that follow their rows go into residue classes for the
 * `classes` families that gain most by it, or for those that CLASSES_ESTIMATED finds cheaper so; the others
 * are taken in natural order. With `check`, every row is validated first (patterns we did not write): EINVAL
 * names the row. ENOMEM.
 * The program's arrays are the caller's to release with program_release(). Time and memory are O(combs) of
 * all rows plus, where keys are irregular, O(pairs) of those. */
attn_status lower_layout(program *out, const attn_layout *layout, size_t head, geometry g, int classes, bool check,
                         attn_error *err);
void program_release(program *p);

#endif
