/* Inside libattn: adding patterns to the registry. */
#ifndef PATTERNS_REGISTRY_H
#define PATTERNS_REGISTRY_H

#include "attn/pattern.h"

/* Appends `count` checked descriptors with origin `path` (copied): all of them, or none and ENOMEM. */
attn_status registry_add(const attn_pattern *const *patterns, size_t count, const char *path,
                         attn_error *err);

#endif
