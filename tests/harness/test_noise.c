/* Disturbances, from files that a system might have. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "harness/noise.h"
#include "support/program.h"

static noise_state read_after(const char *root, const char *script)
{
    outcome o = shell("mkdir -p %s && cd %s && %s", root, root, script);
    cr_assert(o.exit_code == 0, "%s", o.err);
    outcome_free(&o);
    return noise_now(root);
}

Test(noise, is_read)
{
    char root[300];
    snprintf(root, sizeof root, "%s", scratch_path("system"));
    const noise_state a = read_after(root, "mkdir -p proc/pressure proc/self sys/fs/cgroup/mine; echo 'cpu 10 0 10 80 0 0 0 5 0 0' >proc/stat;"
                                           " echo 'some avg10=0.00 avg60=0.00 avg300=0.00 total=1000' >proc/pressure/cpu; echo 0::/mine >proc/self/cgroup;"
                                           " printf 'nr_periods 9\nnr_throttled 3\n' >sys/fs/cgroup/mine/cpu.stat; echo 'se.nr_migrations    :   7' >proc/self/sched");
    cr_assert(a.stolen == 5 && a.all == 105 && a.waiting_us == 1000 && a.throttled == 3 && a.migrations == 7, "%g %g %lld %lld %lld", a.stolen, a.all,
              (long long)a.waiting_us, (long long)a.throttled, (long long)a.migrations);
    const noise_state b = read_after(root, "rm -r sys; mkdir -p sys/fs/cgroup/cpu; echo 'nr_throttled 8' >sys/fs/cgroup/cpu/cpu.stat; rm proc/self/sched proc/pressure/cpu proc/stat");
    cr_assert(b.stolen < 0 && b.waiting_us < 0 && b.throttled == 8 && b.migrations < 0, "what is missing is told");
}

Test(noise, here)
{
    const noise_state now = noise_now("");
    cr_assert(now.switches >= 0 && now.ns > 0, "this process");
}
