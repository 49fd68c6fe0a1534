/* A plugin of a later version. */
#include <attn/pattern.h>

extern const attn_plugin_header attn_plugin;
ATTN_API const attn_plugin_header attn_plugin = {ATTN_PLUGIN_ABI + 41, sizeof(attn_pattern),
                                                 sizeof(attn_pattern_args), 1, NULL};
