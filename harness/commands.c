/* The table of subcommands, in the order of help. */
#include "harness/cli.h"

extern const command cmd_db;
extern const command cmd_show;

const command *const commands[] = {
    &cmd_show,
    &cmd_db,
    NULL,
};
