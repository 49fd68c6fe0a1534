/* The table of subcommands, in the order of help. */
#include "harness/cli.h"

extern const command cmd_list;
extern const command cmd_show;
extern const command cmd_explore;
extern const command cmd_analyze;
extern const command cmd_eval;
extern const command cmd_input;
extern const command cmd_check;
extern const command cmd_run;
extern const command cmd_compare;
extern const command cmd_selftest;
extern const command cmd_gate;
extern const command cmd_history;
extern const command cmd_changepoints;
extern const command cmd_bisect;
extern const command cmd_fit;
extern const command cmd_plot;
extern const command cmd_report;
extern const command cmd_db;
extern const command cmd_doctor;
extern const command cmd_completion;
extern const command cmd_adapter;
extern const command cmd_cell;
extern const command cmd_calibrate;

const command *const commands[] = {
    &cmd_list,
    &cmd_show,
    &cmd_explore,
    &cmd_analyze,
    &cmd_eval,
    &cmd_input,
    &cmd_check,
    &cmd_run,
    &cmd_compare,
    &cmd_selftest,
    &cmd_gate,
    &cmd_history,
    &cmd_changepoints,
    &cmd_bisect,
    &cmd_fit,
    &cmd_plot,
    &cmd_report,
    &cmd_db,
    &cmd_doctor,
    &cmd_completion,
    &cmd_adapter,
    &cmd_cell,
    &cmd_calibrate,
    NULL,
};
