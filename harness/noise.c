/* Stolen time from /proc/stat, lost processors from getrusage(). */
#include "harness/noise.h"

#include <stdio.h>
#include <sys/resource.h>

noise_state noise_now(void)
{
    noise_state now = {.stolen = -1};
    struct rusage used;
    double t[8];
    FILE *f = fopen("/proc/stat", "r");
    /* user nice system idle iowait irq softirq steal, over all processors */
    if (f && fscanf(f, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", t, t + 1, t + 2, t + 3, t + 4, t + 5, t + 6, t + 7) == 8) {
        now.stolen = t[7];
        for (int i = 0; i < 8; i++)
            now.all += t[i];
    }
    if (f)
        fclose(f);
    if (getrusage(RUSAGE_SELF, &used) == 0)
        now.switches = used.ru_nivcsw;
    return now;
}

void noise_record(const noise_state *since, recorder *r)
{
    const noise_state now = noise_now();
    if (since->stolen < 0 || now.stolen < 0)
        record_absent(r, "steal", "share", "/proc/stat does not tell");
    else
        record_real(r, "steal", "share", now.all > since->all ? (now.stolen - since->stolen) / (now.all - since->all) : 0);
    record_int(r, "switches", "count", now.switches - since->switches);
}
