/* Event names to perf_event_attr, by libpfm4.
 *
 * libpfm4 encodes events of the PMUs it finds here. A CPU younger than the library has no core PMU then,
 * though the events of an older relative hold for it: with LIBPFM_ENCODE_INACTIVE any PMU can be named by its
 * prefix, and `relatives` says which. */
#include "harness/perf.h"

#include <perfmon/pfmlib_perf_event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "harness/host_files.h"

static const char *failed; /* why libpfm4 did not start, or NULL */

static void start(void)
{
    setenv("LIBPFM_ENCODE_INACTIVE", "1", 1);
    pfm_err_t status = pfm_initialize();
    if (status != PFM_SUCCESS)
        failed = pfm_strerror(status);
}

static bool started(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    return !failed;
}

bool perf_encode(const char *event, bool kernel, struct perf_event_attr *out, const char **why)
{
    const char *reason = NULL;
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    if (started()) {
        pfm_perf_encode_arg_t argument = {.attr = out, .size = sizeof argument};
        int modes = PFM_PLM3 | (kernel ? PFM_PLM0 : 0);
        pfm_err_t status = pfm_get_os_event_encoding(event, modes, PFM_OS_PERF_EVENT, &argument);
        if (status != PFM_SUCCESS)
            reason = pfm_strerror(status);
    } else {
        reason = failed;
    }
    if (why)
        *why = reason;
    return !reason;
}

/* CPUs whose core events are those of a PMU that libpfm4 4.13 does know. Vendor, family and model as in
 * /proc/cpuinfo; model -1: any. */
static const struct relative {
    const char *vendor;
    int family, model;
    const char *pmu;
} relatives[] = {
    {"GenuineIntel", 6, 0xcf, "spr"}, /* Emerald Rapids: the same core as Sapphire Rapids */
    {"GenuineIntel", 6, 0xad, "spr"}, /* Granite Rapids */
    {"GenuineIntel", 6, 0xae, "spr"}, /* Granite Rapids D */
    {"AuthenticAMD", 26, -1, "amd64_fam19h_zen4"}, /* Zen 5 */
};

const char *perf_relative_pmu(const char *root)
{
    static const char info[] = "/proc/cpuinfo";
    char vendor[64], family[32], model[32];
    if (!host_field(vendor, sizeof vendor, root, info, "vendor_id") ||
        !host_field(family, sizeof family, root, info, "cpu family") ||
        !host_field(model, sizeof model, root, info, "model"))
        return NULL;
    for (size_t i = 0; i < sizeof relatives / sizeof *relatives; i++) {
        const struct relative *r = &relatives[i];
        if (strcmp(r->vendor, vendor) == 0 && r->family == atoi(family) &&
            (r->model < 0 || r->model == atoi(model)))
            return r->pmu;
    }
    return NULL;
}

const char *perf_core_pmu(void)
{
    if (!started())
        return NULL;
    pfm_pmu_t pmu;
    pfm_for_all_pmus(pmu) {
        pfm_pmu_info_t info = {.size = sizeof info};
        if (pfm_get_pmu_info(pmu, &info) == PFM_SUCCESS && info.is_present && info.type == PFM_PMU_TYPE_CORE)
            return info.name;
    }
    return perf_relative_pmu("");
}
