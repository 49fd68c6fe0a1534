/* External kernels, before anything is measured. */
#include <stdlib.h>

#include "harness/ext.h"
#include "harness/run.h"

attn_status run_check_external(const run_request *r, attn_error *err)
{
    char *start = NULL;
    ext *e = NULL;
    if (!ext_is_name(r->kernel))
        return ATTN_OK;
    attn_status status = ext_command(&start, r->kernel, r->exts, r->ext_count, err);
    if (!status)
        status = ext_open(&e, &(ext_start){.kernel = r->kernel, .command = start, .timeout = r->ext_timeout}, true, err);
    ext_close(e);
    free(start);
    return status;
}
