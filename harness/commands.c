/* The table of subcommands, in the order of help. */
#include "harness/cli.h"

extern const command cmd_list;
extern const command cmd_show;
extern const command cmd_eval;
extern const command cmd_doctor;

const command *const commands[] = {
    &cmd_list,
    &cmd_show,
    &cmd_eval,
    &cmd_doctor,
    NULL,
};
