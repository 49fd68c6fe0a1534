/* The table of subcommands, in the order of help. */
#include "harness/cli.h"

const command *const commands[] = {
    NULL,
};
