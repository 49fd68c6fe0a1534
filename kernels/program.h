/* A tile program: one layout head, lowered for one kernel's geometry.
 *
 * A *tile* is up to lanes * vectors query rows {row0 + t*row_step}, consecutive or of one residue class, and
 * the *runs* of keys they attend to. A run is a sequence of *granules* of `keys` keys each: contiguous, the
 * teeth of a comb, or a list; seen by all rows of the tile, or under a mask with one bit per row and key.
 * Every allowed pair (row, key) is in exactly one granule with its bit set; what a granule computes beyond
 * that is padding. A granule only touches the vectors of rows its masks name: `lanes * keys` for each.
 *
 * A row whose combs belong to several *parts* (say a residue class and an interval) is finished in the last
 * of them; the earlier ones leave (reference, sum, unnormalised o) behind, which a tile with that row's bit
 * in `merge` continues from.
 *
 * The program holds indices and counts, no addresses: all heads and batch entries share it, and its size is
 * O(tiles * runs), independent of how long the runs are. */
#ifndef KERNELS_PROGRAM_H
#define KERNELS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MAX_GRANULE_KEYS = 32,
    MAX_TILE_ROWS = 64, /* bits of a mask */
    MAX_PARTS = 4,
    MAX_FOLLOWERS = 8
};

/* What a kernel computes at once. lanes * vectors <= MAX_TILE_ROWS, keys <= MAX_GRANULE_KEYS. */
typedef struct geometry {
    uint32_t lanes;   /* query rows in one vector */
    uint32_t vectors; /* vectors in a tile */
    uint32_t keys;    /* keys in a granule */
} geometry;

#define RUN_ALL UINT32_MAX  /* no mask: every row of the tile sees every key */
#define RUN_COMB UINT32_MAX /* no list: the keys are teeth */

typedef struct run {
    uint32_t first;       /* first key */
    uint32_t width, step; /* key t is first + (t / width) * step + t % width; contiguous: width >= keys */
    uint32_t granules;
    uint32_t keys;        /* real keys; padding fills the last granule and has no mask bit */
    uint32_t mask;        /* index of the first granule's masks, or RUN_ALL (then keys fill the granules) */
    uint32_t mask_step;   /* 1: each granule has its own masks; 0: all share the first's */
    uint32_t list;        /* index into offsets: key t is first + offsets[list + t]; or RUN_COMB */
} run;

static inline bool run_is_contiguous(const run *u) { return u->list == RUN_COMB && u->width >= u->keys; }

typedef struct tile {
    uint64_t merge;           /* rows that continue from an earlier part */
    uint64_t lanes;           /* lane-keys computed: sum over granules of keys * lanes * vectors touched */
    uint32_t row0, row_step;
    uint32_t count;           /* rows */
    uint32_t granules;        /* over all runs */
    uint32_t first_run, runs;
} tile;

/* What the masks of one granule touch. */
typedef struct mask_range {
    uint64_t any;       /* rows that see at least one key */
    uint8_t lo, hi;     /* vectors [lo, hi) */
    uint8_t partial;    /* whether some row of these vectors is hidden from some key */
} mask_range;

typedef struct part_tiles {
    uint32_t first_tile, tiles;
} part_tiles;

/* A family of combs whose phase moves with the row, and what either way of taking it was expected to cost. */
typedef struct follower {
    size_t step, width;
    double classes, natural; /* lane-keys as residue classes, in natural order */
} follower;

typedef struct program {
    geometry geometry;
    const tile *tiles;
    const run *runs;
    const uint64_t *masks;      /* [mask][geometry.keys] */
    const mask_range *ranges;   /* [mask] */
    const uint32_t *offsets;
    size_t tile_count, run_count, mask_count, offset_count;
    part_tiles parts[MAX_PARTS];
    uint32_t part_count;
    uint32_t shares;    /* every tile comes this many times, each with a share of its keys: see shares.h */
    uint32_t classes;   /* parts, from the first on, that are residue classes; a natural one may follow */
    follower followers[MAX_FOLLOWERS]; /* the first `classes` of them are those parts */
    uint32_t follower_count;
    uint64_t lanes;     /* lane-keys of all tiles */
    uint64_t granules;
    size_t max_combs;   /* longest row */
} program;

#endif
