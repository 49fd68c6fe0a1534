/* A plugin compiled where args had one parameter more. */
#include <attn/pattern.h>

extern const attn_plugin_header attn_plugin;
ATTN_API const attn_plugin_header attn_plugin = {ATTN_PLUGIN_ABI, sizeof(attn_pattern),
                                                 sizeof(attn_pattern_args) + sizeof(size_t), 1, NULL};
