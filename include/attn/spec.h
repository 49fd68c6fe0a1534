/* Pattern specs: text such as  fixed:l=sqrt(n),c=8  parsed against the registry.
 *
 *   spec   = name [ ":" key "=" value { "," key "=" value } ]
 *          | "expr" ":" '"' expression of i, j, n, h '"' { "," key "=" value }
 *          | "mask" ":" '"' file '"' { "," key "=" value }
 *   value  = integer [k|m] | word of the parameter's choices | expression of n: + - * / ( ) sqrt(...)
 *
 * `causal=0|1` is a key of every pattern (1 is the default). Spaces may stand after a comma and round the
 * whole, not inside a value. Division is exact; the result of an expression is rounded to the nearest integer,
 * .5 up, and clamped to the parameter's range.
 * The pattern expr takes a condition in double quotes, expr:"i-j < 64 || j % 128 >= 120": C's operators and precedence
 * over integers, the query i, the key j, the number of keys n and the query head h (from 0), with min, max and abs;
 * `/` and `//` are floor division, `%` takes the divisor's sign, x/0 = 0 and x%0 = x.
 *
 * The pattern mask reads a file when a layout is made: *.npy (bool or 8-bit integers, [n,n] or [heads,n,n]), *.pbm, CSR
 * (*.indptr.npy beside *.indices.npy), or FlexAttention's block mask (*.kv_num_blocks.npy beside *.kv_indices.npy, and full_ ones; block=128).
 * Its resolved text has id=, a number that other content has not.
 *
 * Specs compose, with a space on both sides of the operators; ~ binds tightest, then &, then | and - left to right:
 *
 *   A | B   A & B   A - B   ~A      union, intersection, difference, complement; parentheses
 *   heads(A, B, ...)                head g has operand g modulo their number
 *   layers(A, 3*B, ...)             layers of a stack, the first applied first: outermost, and only for analysis
 *   blocks(A, 64)                   query i sees key j where A lets i/64 see j/64 (and j <= i when A is causal)
 *   shift(A, 16)                    query i sees key j where A lets it see j + 16
 *   transpose(A)                    query i sees key j where A lets j see i; not causal
 *   hops(A, 2)                      query i sees key j where exactly two steps lead there, a layer being the union of its heads; A may be
 *                                   layers(...), taken in order and again; n to 16384. With the residual: hops(A | local:k=0, 2)
 *
 * ~A is what A leaves of the causal triangle, or of the square when A has a part with causal=0. In parentheses an operand ends at a
 * comma that no key= follows.
 * A spec is immutable and knows no n; attn_layout_create() resolves it. */
#ifndef ATTN_SPEC_H
#define ATTN_SPEC_H

#include "attn/pattern.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct attn_spec attn_spec;

/* Parses `text`. EINVAL: unknown name or key (with the nearest known one), a key given twice, a value
 * outside its range, values that cannot go together whatever n; the message names the value and what would be
 * right. */
ATTN_API ATTN_MUST_CHECK attn_status attn_spec_parse(attn_spec **out, const char *text, attn_error *err);
ATTN_API void attn_spec_destroy(attn_spec *spec);

/* The canonical text: keys in the descriptor's order, those the user wrote, integers without suffix, no
 * spaces; causal=0 last, and no causal=1, which every spec is anyway. Parses to an equal spec. Valid as long
 * as the spec. */
ATTN_API const char *attn_spec_text(const attn_spec *spec);

/* Of a composed spec: a descriptor named "composed", which is not registered. */
ATTN_API const attn_pattern *attn_spec_pattern(const attn_spec *spec);

/* Layers of layers(...), 1 for any other spec, and each of them (0 is applied first), valid as long as the spec; NULL beyond. */
ATTN_API size_t attn_spec_layers(const attn_spec *spec);
ATTN_API const attn_spec *attn_spec_layer(const attn_spec *spec, size_t layer);

#ifdef __cplusplus
}
#endif
#endif
